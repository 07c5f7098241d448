-- A day of the statistics is found by index also under row security.
SET LOCAL ROLE tracker_owner;

-- Row security lets an index be entered by comparisons that are leak-proof, and the casts from a day to its bounds are not. So
-- the bounds are columns of the sub-query that names the days, and the function compares with them.
DROP VIEW status_daily_now;
DROP FUNCTION status_day(bigint, bigint, date);

-- Row security of the caller holds in it, so that the view shows each caller their own.
CREATE FUNCTION status_day(client bigint, run bigint, on_day date, from_time timestamptz, to_time timestamptz)
RETURNS TABLE (client_id bigint, production_run_id bigint, day date, status tracker_status, entered integer, left_again integer,
               periods integer, seconds bigint, longest bigint, deliveries integer, on_time integer)
LANGUAGE sql STABLE AS $$
    WITH changes AS (
        SELECT h.status, h.previous_status, t.archived_at IS NULL AS in_use,
               -- Since when the status lasted that ends here. Rows that only change the place do not begin it.
               extract(epoch FROM h.since - (
                   SELECT b.since FROM status_history b WHERE b.tracker_id = h.tracker_id AND (b.since, b.id) < (h.since, h.id)
                       AND b.status = h.previous_status AND b.previous_status <> b.status
                   ORDER BY b.since DESC, b.id DESC LIMIT 1))::bigint AS lasted,
               h.status = 'DELIVERED' AND run <> 0 AND NOT EXISTS (
                   SELECT FROM status_history b WHERE b.tracker_id = h.tracker_id AND (b.since, b.id) < (h.since, h.id)
                       AND b.status = 'DELIVERED' AND b.production_run_id = run) AS delivery,
               h.since <= coalesce((SELECT r.ends_at FROM production_runs r WHERE r.id = run), 'infinity') AS in_time
        FROM (
            SELECT r.* FROM status_history r WHERE r.production_run_id = run AND r.client_id = client
                AND r.since >= from_time AND r.since < to_time
            UNION ALL
            SELECT r.* FROM status_history r WHERE run = 0 AND r.production_run_id IS NULL AND r.client_id = client
                AND r.since >= from_time AND r.since < to_time
        ) h JOIN trackers t ON t.id = h.tracker_id
        WHERE h.status <> h.previous_status
    ), sides AS (
        SELECT c.status, c.in_use AS entered, false AS left_again, NULL::bigint AS lasted, c.delivery, c.delivery AND c.in_time AS on_time
        FROM changes c
        UNION ALL
        SELECT c.previous_status, false, c.in_use, c.lasted, false, false FROM changes c
    )
    SELECT client, run, on_day, s.status, count(*) FILTER (WHERE s.entered)::integer, count(*) FILTER (WHERE s.left_again)::integer,
           count(s.lasted)::integer, coalesce(sum(s.lasted), 0)::bigint, coalesce(max(s.lasted), 0)::bigint,
           count(*) FILTER (WHERE s.delivery)::integer, count(*) FILTER (WHERE s.on_time)::integer
    FROM sides s GROUP BY s.status
$$;
COMMENT ON FUNCTION status_day(bigint, bigint, date, timestamptz, timestamptz) IS 'The rows of status_daily of a client, run (0: none) and day, computed from the status history';

CREATE VIEW status_daily_now WITH (security_invoker = true) AS
SELECT s.* FROM status_daily s
WHERE NOT EXISTS (SELECT FROM status_dirty d WHERE d.client_id = s.client_id AND d.production_run_id = s.production_run_id AND d.day = s.day)
UNION ALL
SELECT live.* FROM (SELECT DISTINCT client_id, production_run_id, day, day::timestamp AT TIME ZONE 'UTC' AS from_time,
             (day + 1)::timestamp AT TIME ZONE 'UTC' AS to_time FROM status_dirty) d,
    LATERAL status_day(d.client_id, d.production_run_id, d.day, d.from_time, d.to_time) live;
COMMENT ON VIEW status_daily_now IS 'status_daily right at this moment: what is logged as out of date is computed';
GRANT SELECT ON status_daily_now TO tracker_api, tracker_worker;
GRANT EXECUTE ON FUNCTION status_day(bigint, bigint, date, timestamptz, timestamptz) TO tracker_api, tracker_worker;

CREATE OR REPLACE FUNCTION refresh_status_daily(max_entries integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    keys status_dirty[];
    taken bigint;
BEGIN
    -- Two refreshers that take entries of one key would write its rows twice. The number is any that nobody else uses.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('refresh_status_daily', 0)) THEN
        RETURN 0;
    END IF;
    WITH gone AS (
        DELETE FROM status_dirty WHERE id IN (SELECT id FROM status_dirty ORDER BY id LIMIT max_entries)
        RETURNING client_id, production_run_id, day
    ), distinct_keys AS (
        SELECT client_id, production_run_id, day, count(*) AS n FROM gone GROUP BY 1, 2, 3
    )
    SELECT array_agg(ROW(0, client_id, production_run_id, day)::status_dirty), coalesce(sum(n), 0) INTO keys, taken FROM distinct_keys;
    -- Later statements than the one that took the entries: they see what each entry's writer has committed.
    DELETE FROM status_daily s USING unnest(keys) k
    WHERE s.client_id = k.client_id AND s.production_run_id = k.production_run_id AND s.day = k.day;
    INSERT INTO status_daily
    SELECT live.* FROM unnest(keys) k, LATERAL status_day(k.client_id, k.production_run_id, k.day, k.day::timestamp AT TIME ZONE 'UTC',
        (k.day + 1)::timestamp AT TIME ZONE 'UTC') live
    WHERE EXISTS (SELECT FROM clients c WHERE c.id = k.client_id);
    RETURN taken;
END
$$;

RESET ROLE;
