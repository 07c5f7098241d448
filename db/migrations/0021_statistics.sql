-- Statistics by day, kept so that no request has to read the status history; the figures of the pipeline.
SET LOCAL ROLE tracker_owner;

CREATE TABLE status_daily (
    client_id         bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    production_run_id bigint NOT NULL DEFAULT 0,
    day               date NOT NULL,
    status            tracker_status NOT NULL,
    entered           integer NOT NULL,
    left_again        integer NOT NULL,
    periods           integer NOT NULL,
    seconds           bigint NOT NULL,
    longest           bigint NOT NULL,
    deliveries        integer NOT NULL,
    on_time           integer NOT NULL,
    -- Serves: the days of a client.
    PRIMARY KEY (client_id, day, production_run_id, status)
);
COMMENT ON TABLE status_daily IS 'Sums of the status history by client, run, day (UTC) and status, as far as refreshed. Read status_daily_now instead';
COMMENT ON COLUMN status_daily.production_run_id IS '0 for trackers without a run';
COMMENT ON COLUMN status_daily.entered IS 'Changes into the status on that day, of trackers that are not archived: today''s count less later changes is the count of a day';
COMMENT ON COLUMN status_daily.left_again IS 'Changes out of the status, of trackers that are not archived';
COMMENT ON COLUMN status_daily.periods IS 'Stays in the status that ended on that day (of all trackers), and how long they lasted together and at most';
COMMENT ON COLUMN status_daily.deliveries IS 'Trackers that were delivered in the run for the first time; on_time: not after its end';
-- Serve: all days of a run; the days of all clients, for an admin.
CREATE INDEX status_daily_by_run ON status_daily (production_run_id, day) WHERE production_run_id <> 0;
CREATE INDEX status_daily_by_day ON status_daily (day, client_id);

CREATE TABLE status_dirty (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint NOT NULL,
    production_run_id bigint NOT NULL,
    day               date NOT NULL
);
COMMENT ON TABLE status_dirty IS 'Append-only log of what in status_daily is out of date. Not unique, for the reason of agg_dirty';
-- Serve: the entries of a client; the refresher''s and the view''s "all entries of this key".
CREATE INDEX status_dirty_by_key ON status_dirty (client_id, production_run_id, day);
CALL protect('status_daily', row_rule('tenant'), NULL, 'SELECT');
CALL protect('status_dirty', row_rule('tenant'), NULL, 'SELECT');

-- ------------------------------------------------------------------ what is out of date

-- A change makes the next row of its tracker count otherwise, too: how long the stay before it was, and whether
-- a delivery was the first.
CREATE FUNCTION status_history_dirty() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO status_dirty (client_id, production_run_id, day)
    SELECT DISTINCT k.client_id, coalesce(k.production_run_id, 0), (k.since AT TIME ZONE 'UTC')::date
    FROM (SELECT client_id, production_run_id, since FROM changed
          UNION ALL
          SELECT n.client_id, n.production_run_id, n.since FROM (SELECT tracker_id, max(since) AS since FROM changed GROUP BY 1) c,
              LATERAL (SELECT h.* FROM status_history h WHERE h.tracker_id = c.tracker_id AND h.since > c.since
                       ORDER BY h.since, h.id LIMIT 1) n) k;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION status_history_dirty() IS 'Trigger: notes which days of the statistics a change of the status history touches';
CREATE TRIGGER dirty_insert AFTER INSERT ON status_history REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION status_history_dirty();
CREATE TRIGGER dirty_delete AFTER DELETE ON status_history REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION status_history_dirty();
CREATE TRIGGER dirty_update AFTER UPDATE ON status_history REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION status_history_dirty();
CREATE TRIGGER dirty_update_old AFTER UPDATE ON status_history REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION status_history_dirty();

CREATE FUNCTION trackers_dirty() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO status_dirty (client_id, production_run_id, day)
    SELECT DISTINCT client_id, coalesce(production_run_id, 0), (since AT TIME ZONE 'UTC')::date
    FROM status_history WHERE tracker_id = NEW.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION trackers_dirty() IS 'Trigger: an archived tracker no longer counts in the statuses of the past, one that is restored does';
CREATE TRIGGER dirty AFTER UPDATE OF archived_at ON trackers FOR EACH ROW
    WHEN ((OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL)) EXECUTE FUNCTION trackers_dirty();

CREATE FUNCTION production_runs_dirty() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO status_dirty (client_id, production_run_id, day)
    SELECT DISTINCT client_id, production_run_id, day FROM status_daily WHERE production_run_id = NEW.id AND deliveries > 0;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION production_runs_dirty() IS 'Trigger: another end of a run makes other deliveries on time';
CREATE TRIGGER dirty AFTER UPDATE OF ends_at ON production_runs FOR EACH ROW
    WHEN (OLD.ends_at IS DISTINCT FROM NEW.ends_at) EXECUTE FUNCTION production_runs_dirty();

-- ------------------------------------------------------------------ the sums

-- Row security of the caller holds in it, so that the view shows each caller their own.
CREATE FUNCTION status_day(client bigint, run bigint, on_day date)
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
        FROM status_history h JOIN trackers t ON t.id = h.tracker_id
        WHERE h.client_id = client AND coalesce(h.production_run_id, 0) = run AND h.status <> h.previous_status
            AND h.since >= on_day::timestamp AT TIME ZONE 'UTC' AND h.since < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
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
COMMENT ON FUNCTION status_day(bigint, bigint, date) IS 'The rows of status_daily of a client, run (0: none) and day, computed from the status history';

CREATE VIEW status_daily_now WITH (security_invoker = true) AS
SELECT s.* FROM status_daily s
WHERE NOT EXISTS (SELECT FROM status_dirty d WHERE d.client_id = s.client_id AND d.production_run_id = s.production_run_id AND d.day = s.day)
UNION ALL
SELECT live.* FROM (SELECT DISTINCT client_id, production_run_id, day FROM status_dirty) d,
    LATERAL status_day(d.client_id, d.production_run_id, d.day) live;
COMMENT ON VIEW status_daily_now IS 'status_daily right at this moment: what is logged as out of date is computed';
GRANT SELECT ON status_daily_now TO tracker_api, tracker_worker;
GRANT EXECUTE ON FUNCTION status_day(bigint, bigint, date) TO tracker_api, tracker_worker;

CREATE FUNCTION refresh_status_daily(max_entries integer DEFAULT 10000) RETURNS bigint
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
    SELECT live.* FROM unnest(keys) k, LATERAL status_day(k.client_id, k.production_run_id, k.day) live
    WHERE EXISTS (SELECT FROM clients c WHERE c.id = k.client_id);
    RETURN taken;
END
$$;
COMMENT ON FUNCTION refresh_status_daily(integer) IS 'For the worker: computes anew what status_dirty names; answers how many entries it took';
GRANT EXECUTE ON FUNCTION refresh_status_daily(integer) TO tracker_worker;

-- Databases that have a history already.
INSERT INTO status_dirty (client_id, production_run_id, day)
SELECT DISTINCT client_id, coalesce(production_run_id, 0), (since AT TIME ZONE 'UTC')::date FROM status_history;

-- Serves: how many exceptions of each kind last, without reading them.
CREATE INDEX tracker_exceptions_by_kind ON tracker_exceptions (client_id, kind) WHERE ended_at IS NULL;

-- ------------------------------------------------------------------ the pipeline

-- Counts stop at 10,000: beyond it nobody needs the number, and counting a long queue would slow it further.
CREATE FUNCTION pipeline_figures() RETURNS TABLE (name text, label text, value bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.* FROM (
        SELECT 'due_trackers', '', count(*) FROM (SELECT FROM trackers WHERE next_fetch_at <= now() AND archived_at IS NULL LIMIT 10000) t
        UNION ALL
        SELECT 'overdue_seconds', '', extract(epoch FROM now() - next_fetch_at)::bigint FROM (
            SELECT next_fetch_at FROM trackers WHERE next_fetch_at <= now() AND archived_at IS NULL ORDER BY next_fetch_at LIMIT 1) t
        UNION ALL
        SELECT 'last_batch_seconds', '', extract(epoch FROM now() - finished_at)::bigint FROM (
            SELECT max(finished_at) AS finished_at FROM fetch_batches WHERE result IN ('ok', 'empty')) b WHERE finished_at IS NOT NULL
        UNION ALL
        SELECT 'batches', coalesce(result, 'running'), count(*) FROM fetch_batches WHERE started_at > now() - interval '1 day' GROUP BY 2
        UNION ALL
        SELECT 'reports', r.outcome, r.n FROM (
            SELECT coalesce(sum(reports_received), 0) AS received, coalesce(sum(reports_new), 0) AS new, coalesce(sum(reports_rejected), 0) AS rejected
            FROM fetch_batches WHERE started_at > now() - interval '1 day') b,
            LATERAL (VALUES ('received', b.received), ('new', b.new), ('rejected', b.rejected)) r (outcome, n)
        UNION ALL
        SELECT 'inbox_rows', '', count(*) FROM (SELECT FROM report_inbox LIMIT 10000) i
        UNION ALL
        SELECT 'inbox_seconds', '', extract(epoch FROM now() - created_at)::bigint FROM (SELECT created_at FROM report_inbox ORDER BY id LIMIT 1) i
        UNION ALL
        SELECT 'geocode_wanted', '', count(*) FROM (SELECT FROM geocoding_cache WHERE fetched_at IS NULL LIMIT 10000) g
        UNION ALL
        SELECT 'accounts', state, count(*) FROM apple_accounts WHERE archived_at IS NULL GROUP BY 2
        UNION ALL
        SELECT 'tasks', state, count(*) FROM (
            SELECT state FROM tasks WHERE state IN ('scheduled', 'waiting', 'running', 'dead') LIMIT 10000) t GROUP BY 2
    ) f (name, label, value)
    WHERE (SELECT app_is_admin())
$$;
COMMENT ON FUNCTION pipeline_figures() IS 'How the pipeline does: for admins, the health page and metrics. Batches and reports are those of the last 24 hours';
GRANT EXECUTE ON FUNCTION pipeline_figures() TO tracker_api;

RESET ROLE;
