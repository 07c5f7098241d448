-- Facts follow the status history: derived by the judge in its own transaction, told by a worker afterwards.
SET LOCAL ROLE tracker_owner;

ALTER TABLE notification_facts ADD COLUMN pending boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN notification_facts.pending IS 'New, shifted or withdrawn since it was last told to the subscribers';
-- Serves: what is to be told, oldest first, SKIP LOCKED.
CREATE INDEX notification_facts_pending ON notification_facts (id) WHERE pending;
-- Serves: settling the facts of a tracker; those that are withdrawn, too, because they may come true again.
CREATE INDEX notification_facts_by_tracker ON notification_facts (tracker_id, kind);

-- A withdrawn fact may overlap others: two visits that a late report joins leave one of their facts behind.
-- Deferred, because facts that shift one after the other may overlap in between.
ALTER TABLE notification_facts DROP CONSTRAINT notification_facts_one_per_visit;
ALTER TABLE notification_facts ADD CONSTRAINT notification_facts_one_per_visit
    EXCLUDE USING gist (tracker_id WITH =, (kind::text) WITH =, (coalesce(location_id, 0)) WITH =, visit WITH &&)
    WHERE (withdrawn_at IS NULL) DEFERRABLE INITIALLY IMMEDIATE;

CREATE FUNCTION notification_visits(trackers bigint[])
RETURNS TABLE (client_id bigint, tracker_id bigint, kind notification_kind, location_id bigint, visit tstzrange)
LANGUAGE sql STABLE AS $$
    WITH rows AS ( -- of several changes at one moment the last one counts
        SELECT DISTINCT ON (h.tracker_id, h.since) h.client_id, h.tracker_id, h.status, h.location_id, h.since
        FROM status_history h WHERE h.tracker_id = ANY (trackers)
        ORDER BY h.tracker_id, h.since, h.id DESC
    ), changes AS ( -- a row that repeats the one before it (an override that agrees) begins nothing
        SELECT r.*, lag(r.status) OVER w IS DISTINCT FROM r.status OR lag(r.location_id) OVER w IS DISTINCT FROM r.location_id AS change
        FROM rows r WINDOW w AS (PARTITION BY r.tracker_id ORDER BY r.since)
    ), periods AS (
        SELECT c.*, lead(c.since) OVER (PARTITION BY c.tracker_id ORDER BY c.since) AS until FROM changes c WHERE c.change
    ), visits AS (
        SELECT p.*, lead(p.since) OVER (PARTITION BY p.tracker_id, p.status, p.location_id ORDER BY p.since) AS next_since
        FROM periods p WHERE p.status IN ('DELIVERED', 'IN_STORAGE')
    )
    SELECT v.client_id, v.tracker_id, CASE v.status WHEN 'DELIVERED' THEN 'delivered' ELSE 'arrived_in_storage' END,
           v.location_id, tstzrange(v.since, v.until)
    FROM visits v
    UNION ALL
    SELECT v.client_id, v.tracker_id, CASE v.status WHEN 'DELIVERED' THEN 'left_delivery' ELSE 'left_storage' END,
           v.location_id, tstzrange(v.until, v.next_since)
    FROM visits v WHERE v.until IS NOT NULL
$$;
COMMENT ON FUNCTION notification_visits(bigint[]) IS 'What the status history has to tell: each stay in a place, and each absence after one, until the return';
GRANT EXECUTE ON FUNCTION notification_visits(bigint[]) TO tracker_worker;

-- The fact of a visit is the one that it overlaps: one that still stands before one that was withdrawn, then
-- the older one. Visits are taken in their order, so that of a visit that falls in two the first half keeps
-- the fact.
CREATE FUNCTION settle_tracker_facts(tracker bigint, from_time timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v record;
    f record;
    kept bigint[] := '{}';
    changed bigint := 0;
    withdrawn bigint;
BEGIN
    FOR v IN
        SELECT n.* FROM notification_visits(ARRAY[tracker]) n
        WHERE upper_inf(n.visit) OR upper(n.visit) >= from_time ORDER BY lower(n.visit), n.kind
    LOOP
        SELECT n.id, n.visit, n.withdrawn_at INTO f FROM notification_facts n
        WHERE n.tracker_id = tracker AND n.kind = v.kind AND n.location_id IS NOT DISTINCT FROM v.location_id
          AND n.visit && v.visit AND n.id <> ALL (kept)
        ORDER BY n.withdrawn_at IS NOT NULL, lower(n.visit), n.id LIMIT 1;
        IF NOT FOUND THEN
            INSERT INTO notification_facts (client_id, tracker_id, kind, location_id, visit, happened_at)
            VALUES (v.client_id, tracker, v.kind, v.location_id, v.visit, lower(v.visit)) RETURNING id INTO f;
            changed := changed + 1;
        ELSIF f.visit <> v.visit OR f.withdrawn_at IS NOT NULL THEN
            -- A visit that merely ended has nothing new to tell.
            UPDATE notification_facts n SET visit = v.visit, happened_at = lower(v.visit), withdrawn_at = NULL,
                pending = n.pending OR n.withdrawn_at IS NOT NULL OR n.happened_at <> lower(v.visit)
            WHERE n.id = f.id;
            changed := changed + 1;
        END IF;
        kept := kept || f.id;
    END LOOP;

    UPDATE notification_facts n SET withdrawn_at = now(), pending = true
    WHERE n.tracker_id = tracker AND n.kind IN ('delivered', 'left_delivery', 'arrived_in_storage', 'left_storage')
      AND n.withdrawn_at IS NULL AND (upper_inf(n.visit) OR upper(n.visit) >= from_time) AND n.id <> ALL (kept);
    GET DIAGNOSTICS withdrawn = ROW_COUNT;
    RETURN changed + withdrawn;
END
$$;
COMMENT ON FUNCTION settle_tracker_facts(bigint, timestamptz) IS 'For settle_facts(): one tracker';

CREATE FUNCTION settle_facts(trackers bigint[], from_times timestamptz[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    t record;
    changed bigint := 0;
BEGIN
    IF cardinality(trackers) <> cardinality(from_times) THEN
        RAISE EXCEPTION 'settle_facts: % trackers and % times', cardinality(trackers), cardinality(from_times);
    END IF;
    SET CONSTRAINTS notification_facts_one_per_visit DEFERRED;
    -- Most trackers that were judged have nothing to tell: only those whose facts differ are gone through.
    FOR t IN
        WITH asked AS (
            SELECT a.tracker_id, min(coalesce(a.from_time, '-infinity')) AS from_time
            FROM unnest(trackers, from_times) AS a (tracker_id, from_time) WHERE a.tracker_id IS NOT NULL GROUP BY 1
        ), differing AS (
            SELECT coalesce(v.tracker_id, f.tracker_id) AS tracker_id
            FROM notification_visits(trackers) v
            FULL JOIN (SELECT n.* FROM notification_facts n
                       WHERE n.tracker_id = ANY (trackers) AND n.withdrawn_at IS NULL
                         AND n.kind IN ('delivered', 'left_delivery', 'arrived_in_storage', 'left_storage')) f
              ON f.tracker_id = v.tracker_id AND f.kind = v.kind AND coalesce(f.location_id, 0) = coalesce(v.location_id, 0)
             AND f.visit = v.visit
            WHERE v.tracker_id IS NULL OR f.tracker_id IS NULL
        )
        SELECT a.* FROM asked a WHERE a.tracker_id IN (SELECT d.tracker_id FROM differing d) ORDER BY a.tracker_id
    LOOP
        changed := changed + settle_tracker_facts(t.tracker_id, t.from_time);
    END LOOP;
    SET CONSTRAINTS notification_facts_one_per_visit IMMEDIATE;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION settle_facts(bigint[], timestamptz[]) IS 'For the judge, after it replaced the status history of trackers from given times on (NULL: from the beginning), in the same transaction: makes, shifts and withdraws facts. Answers how many changed; then hint notify.facts after the commit';
GRANT EXECUTE ON FUNCTION settle_facts(bigint[], timestamptz[]), settle_tracker_facts(bigint, timestamptz) TO tracker_worker;

RESET ROLE;
