-- A place that only an override names is part of its tracker's history too: the way to its edge is told when it is left.
SET LOCAL ROLE tracker_owner;

CREATE OR REPLACE FUNCTION expand_replays(max_requests integer DEFAULT 100) RETURNS bigint
LANGUAGE sql AS $$
    WITH taken AS (
        DELETE FROM replay_requests WHERE id IN (SELECT id FROM replay_requests ORDER BY id LIMIT max_requests FOR UPDATE SKIP LOCKED)
        RETURNING tracker_id, production_run_id, location_id, from_time, reason
    ), concerned AS (
        SELECT tracker_id, from_time, reason FROM taken WHERE tracker_id IS NOT NULL
        UNION
        SELECT r.tracker_id, t.from_time, t.reason FROM taken t JOIN tracker_runs r USING (production_run_id)
        UNION
        SELECT r.tracker_id, t.from_time, t.reason FROM taken t
        JOIN production_run_locations l USING (location_id) JOIN tracker_runs r ON r.production_run_id = l.production_run_id
        UNION
        SELECT o.tracker_id, t.from_time, t.reason FROM taken t
        JOIN status_overrides o USING (location_id) WHERE o.withdrawn_at IS NULL
    ), added AS (
        INSERT INTO report_inbox (tracker_id, reported_at, reason)
        SELECT tracker_id, from_time, reason FROM concerned
        WHERE EXISTS (SELECT FROM trackers t WHERE t.id = tracker_id AND t.last_report_at IS NOT NULL)
           OR reason = 'override'
           OR EXISTS (SELECT FROM location_reports l WHERE l.tracker_id = concerned.tracker_id)
        RETURNING 1
    )
    SELECT count(*) FROM added
$$;
COMMENT ON TABLE replay_requests IS 'Edits whose trackers must be judged again: a tracker, all trackers of a run, or all of the runs that use a place and all that an override puts there. Written by triggers, taken by expand_replays(). No foreign keys: what it names may be gone by then';

RESET ROLE;
