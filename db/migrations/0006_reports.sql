-- Location reports and their history: storage in one of two forms, the one way in, the tenant-safe ways out.
SET LOCAL ROLE tracker_owner;

-- ------------------------------------------------------------------ what both forms share

-- The columns of a summary, in one place: views and refreshes are made from this text, so they cannot differ.
-- Ties in time are broken as the status rules break them: smaller accuracy, then latitude, then longitude.
-- The distance is the length of the line through all reports of the bucket.
CREATE FUNCTION history_columns() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT $columns$
    count(*) AS reports,
    min(reported_at) AS first_at,
    (array_agg(latitude_e7 ORDER BY reported_at, accuracy_m, latitude_e7, longitude_e7))[1] AS first_latitude_e7,
    (array_agg(longitude_e7 ORDER BY reported_at, accuracy_m, latitude_e7, longitude_e7))[1] AS first_longitude_e7,
    max(reported_at) AS last_at,
    (array_agg(latitude_e7 ORDER BY reported_at DESC, accuracy_m DESC, latitude_e7 DESC, longitude_e7 DESC))[1] AS last_latitude_e7,
    (array_agg(longitude_e7 ORDER BY reported_at DESC, accuracy_m DESC, latitude_e7 DESC, longitude_e7 DESC))[1] AS last_longitude_e7,
    (array_agg(reported_at ORDER BY accuracy_m, reported_at, latitude_e7, longitude_e7))[1] AS best_at,
    (array_agg(latitude_e7 ORDER BY accuracy_m, reported_at, latitude_e7, longitude_e7))[1] AS best_latitude_e7,
    (array_agg(longitude_e7 ORDER BY accuracy_m, reported_at, latitude_e7, longitude_e7))[1] AS best_longitude_e7,
    min(accuracy_m) AS best_accuracy_m,
    max(confidence) AS best_confidence,
    min(latitude_e7) AS min_latitude_e7,
    max(latitude_e7) AS max_latitude_e7,
    min(longitude_e7) AS min_longitude_e7,
    max(longitude_e7) AS max_longitude_e7,
    ST_Length(ST_MakeLine(ST_SetSRID(ST_MakePoint(longitude_e7 / 1e7::float8, latitude_e7 / 1e7::float8), 4326)
        ORDER BY reported_at, accuracy_m, latitude_e7, longitude_e7)::geography) AS distance_m
$columns$
$$;
COMMENT ON FUNCTION history_columns() IS 'Select list of a summary of location_reports; the TimescaleDB form repeats it, and a test compares them';

CREATE FUNCTION battery_of(status smallint) RETURNS battery_level LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE (status >> 6) & 3 WHEN 0 THEN 'full' WHEN 1 THEN 'medium' WHEN 2 THEN 'low' WHEN 3 THEN 'very_low' END::battery_level;
COMMENT ON FUNCTION battery_of(smallint) IS 'Battery level in the two upper bits of a report''s status byte';
GRANT EXECUTE ON FUNCTION battery_of(smallint), history_columns() TO tracker_api, tracker_worker;

CREATE TABLE agg_dirty (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tracker_id bigint NOT NULL,
    day        timestamptz NOT NULL
);
COMMENT ON TABLE agg_dirty IS 'Append-only log of (tracker, day) pairs whose hourly and daily summaries are out of date. Not unique on purpose: with ON CONFLICT DO NOTHING a writer that finds the pair logged, while the refresher has just taken it, would lose its update';
COMMENT ON COLUMN agg_dirty.day IS 'Start of the day (UTC). One entry stands for the day and its hours: a tracker has few reports a day, and log entries are what storing costs';
-- Serves: the real-time edge of the history of a tracker; the refresher's "all entries of this key".
CREATE INDEX agg_dirty_by_key ON agg_dirty (tracker_id, day);

CREATE TABLE report_flags (
    tracker_id   bigint NOT NULL,
    reported_at  timestamptz NOT NULL,
    latitude_e7  integer NOT NULL,
    longitude_e7 integer NOT NULL,
    reason       text NOT NULL CONSTRAINT report_flags_reason_known CHECK (reason IN ('low_confidence', 'inaccurate', 'jump')),
    -- Serves: the reports of a tracker with their flags; replacing the flags from a time on.
    PRIMARY KEY (tracker_id, reported_at, latitude_e7, longitude_e7)
);
COMMENT ON TABLE report_flags IS 'Why a stored report is not judged. Derived by the judge, so apart from the reports, which are never updated';

CREATE TABLE report_inbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tracker_id  bigint NOT NULL,
    reported_at timestamptz,
    reports     integer NOT NULL DEFAULT 0 CONSTRAINT report_inbox_reports_positive CHECK (reports >= 0),
    reason      text NOT NULL DEFAULT 'reports'
                CONSTRAINT report_inbox_reason_known CHECK (reason IN ('reports', 'shape', 'run', 'place', 'override', 'area', 'request')),
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE report_inbox IS 'Trackers to be judged and from when: one row per tracker and stored batch, in the batch''s transaction, or per replay. Append-only for the same reason as agg_dirty';
COMMENT ON COLUMN report_inbox.reported_at IS 'Oldest time that has changed; NULL to judge the tracker from its beginning';
COMMENT ON COLUMN report_inbox.reports IS 'New reports that this row stands for; 0 for a replay';
-- Serves: taking all rows of a tracker.
CREATE INDEX report_inbox_by_tracker ON report_inbox (tracker_id);

CREATE TABLE rejected_reports (
    tracker_id bigint NOT NULL,
    client_id  bigint NOT NULL,
    day        date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    reason     text NOT NULL CONSTRAINT rejected_reports_reason_form CHECK (reason ~ '^[a-z][a-z0-9_]{0,39}$'),
    reports    bigint NOT NULL CONSTRAINT rejected_reports_positive CHECK (reports > 0),
    last_at    timestamptz NOT NULL DEFAULT now(),
    -- Serves: the rejected reports of a tracker.
    PRIMARY KEY (tracker_id, day, reason),
    CONSTRAINT rejected_reports_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE rejected_reports IS 'How many reports could not be used, per tracker, day (UTC) and reason: bad_tag, off_curve, future, excluded, ...';
-- Serves: rejected reports of a day over all trackers, for the admin panel.
CREATE INDEX rejected_reports_by_day ON rejected_reports (day, reason);

CALL protect('report_inbox', row_rule('admin'), row_rule('admin'), 'SELECT');
CALL protect('rejected_reports', row_rule('admin'), row_rule('admin'), 'SELECT');
GRANT SELECT, INSERT, UPDATE, DELETE ON agg_dirty, report_flags TO tracker_worker;

-- ------------------------------------------------------------------ the form

-- The marker's file creates location_reports, history_hourly, history_daily (columns of history_columns()
-- after tracker_id and bucket), ensure_partitions(), ensure_partitions_for(), refresh_history() and
-- drop_reports_before(), and notes its name in schema_info.
-- @timeseries reports

-- ------------------------------------------------------------------ the way in

-- Nobody has the right to insert into location_reports. Reports come in through this function, and so there
-- is no way to store one without putting its tracker into the inbox and its day into the dirty log.
CREATE FUNCTION store_reports(
    trackers bigint[], reported timestamptz[], latitudes double precision[], longitudes double precision[],
    accuracies real[], confidences smallint[], statuses smallint[], keys bigint[], excludeds boolean[], is_import boolean DEFAULT false)
RETURNS TABLE (tracker_id bigint, reported_at timestamptz, latitude_e7 integer, longitude_e7 integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    horizon timestamptz := (SELECT value::timestamptz FROM schema_info WHERE key = 'report_horizon');
BEGIN
    PERFORM ensure_partitions_for(ARRAY(
        SELECT DISTINCT date_trunc('month', r AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM unnest(reported) r
        WHERE horizon IS NULL OR r >= horizon));
    RETURN QUERY
    WITH input AS (
        SELECT i.tracker_id, i.reported_at, round(i.latitude * 1e7)::integer AS lat, round(i.longitude * 1e7)::integer AS lon,
               i.accuracy, i.confidence, i.status, i.key_id, coalesce(i.excluded, false) AS excluded
        FROM unnest(trackers, reported, latitudes, longitudes, accuracies, confidences, statuses, keys, excludeds)
             AS i (tracker_id, reported_at, latitude, longitude, accuracy, confidence, status, key_id, excluded)
        WHERE (horizon IS NULL OR i.reported_at >= horizon) AND EXISTS (SELECT FROM trackers t WHERE t.id = i.tracker_id)
    ), stored AS (
        -- In the order of the key: two batches that share reports wait for each other instead of deadlocking.
        INSERT INTO location_reports AS l (tracker_id, reported_at, latitude_e7, longitude_e7, accuracy_m, confidence, status, key_id,
                                           excluded, imported)
        SELECT i.tracker_id, i.reported_at, i.lat, i.lon, i.accuracy, i.confidence, i.status, i.key_id, i.excluded, is_import
        FROM input i ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT DO NOTHING
        RETURNING l.tracker_id, l.reported_at, l.latitude_e7, l.longitude_e7, l.excluded
    ), inbox AS (
        INSERT INTO report_inbox (tracker_id, reported_at, reports)
        SELECT s.tracker_id, min(s.reported_at), count(*) FROM stored s WHERE NOT s.excluded GROUP BY 1
    ), dirty AS (
        INSERT INTO agg_dirty (tracker_id, day)
        SELECT DISTINCT s.tracker_id, date_bin('1 day', s.reported_at, 'epoch') FROM stored s WHERE NOT s.excluded
    )
    SELECT s.tracker_id, s.reported_at, s.latitude_e7, s.longitude_e7 FROM stored s;
END
$$;
COMMENT ON FUNCTION store_reports(bigint[], timestamptz[], double precision[], double precision[], real[], smallint[], smallint[], bigint[], boolean[], boolean) IS
    'Stores reports (parallel arrays; unknown trackers and times before report_horizon are left out) with inbox and dirty log; returns the new ones';

CREATE FUNCTION count_rejected(trackers bigint[], reasons text[], counts bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO rejected_reports (tracker_id, client_id, reason, reports)
    SELECT t.id, t.client_id, i.reason, sum(i.n) FROM unnest(trackers, reasons, counts) AS i (tracker_id, reason, n)
    JOIN trackers t ON t.id = i.tracker_id WHERE i.n > 0
    GROUP BY 1, 2, 3 ORDER BY 1, 3
    ON CONFLICT (tracker_id, day, reason) DO UPDATE SET reports = rejected_reports.reports + excluded.reports, last_at = now()
$$;
COMMENT ON FUNCTION count_rejected(bigint[], text[], bigint[]) IS 'Adds to the counters of rejected reports (parallel arrays)';
GRANT EXECUTE ON FUNCTION count_rejected(bigint[], text[], bigint[]),
    store_reports(bigint[], timestamptz[], double precision[], double precision[], real[], smallint[], smallint[], bigint[], boolean[], boolean)
    TO tracker_worker;

-- ------------------------------------------------------------------ the inbox

CREATE FUNCTION judge_lock(tracker bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN tracker | (1::bigint << 61);
COMMENT ON FUNCTION judge_lock(bigint) IS 'Advisory lock that the judge of a tracker holds: workers judge in parallel, never two the same tracker';

CREATE FUNCTION claim_inbox(max_trackers integer)
RETURNS TABLE (tracker_id bigint, reported_at timestamptz, from_start boolean, reports bigint, oldest_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    mine bigint[] := '{}';
    candidate bigint;
    last_id bigint := 0;
    page_end bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'claim_inbox needs READ COMMITTED: rows are taken by a later snapshot than the lock';
    END IF;
    -- Oldest rows first, page by page, passing over trackers that other workers hold.
    WHILE cardinality(mine) < max_trackers LOOP
        SELECT max(id) INTO page_end FROM (SELECT id FROM report_inbox WHERE id > last_id ORDER BY id LIMIT 1000) page;
        EXIT WHEN page_end IS NULL;
        FOR candidate IN
            SELECT i.tracker_id FROM report_inbox i WHERE i.id > last_id AND i.id <= page_end AND i.tracker_id <> ALL (mine)
            GROUP BY 1 ORDER BY min(i.id)
        LOOP
            IF pg_try_advisory_xact_lock(judge_lock(candidate)) THEN
                mine := mine || candidate;
                EXIT WHEN cardinality(mine) >= max_trackers;
            END IF;
        END LOOP;
        last_id := page_end;
    END LOOP;
    -- A later statement than the locks: it sees what the last holder of each lock has left. A row that a
    -- writer has not committed yet stays for the next claim.
    RETURN QUERY
    WITH taken AS (DELETE FROM report_inbox i WHERE i.tracker_id = ANY (mine)
                   RETURNING i.tracker_id, i.reported_at, i.reports, i.created_at)
    SELECT t.tracker_id, min(t.reported_at), bool_or(t.reported_at IS NULL), sum(t.reports)::bigint, min(t.created_at)
    FROM taken t GROUP BY 1;
END
$$;
COMMENT ON FUNCTION claim_inbox(integer) IS
    'Takes the oldest trackers of the inbox until the end of the transaction. Load their reports in a later statement; commit with the result, or roll back and the rows are there again';
GRANT EXECUTE ON FUNCTION judge_lock(bigint), claim_inbox(integer) TO tracker_worker;

-- ------------------------------------------------------------------ the real-time edge

-- Summary rows that are up to date, and for logged days the summary as it is at this moment: a report is in the
-- history as soon as it is stored, however late it came.
DO $do$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM (VALUES ('hourly', 'hour'), ('daily', 'day')) v (name, width) LOOP
        EXECUTE format($sql$
            CREATE VIEW history_%1$s_now AS
            SELECT h.* FROM history_%1$s h
            WHERE NOT EXISTS (SELECT FROM agg_dirty d WHERE d.tracker_id = h.tracker_id AND d.day = date_bin('1 day', h.bucket, 'epoch'))
            UNION ALL
            SELECT d.tracker_id, live.*
            FROM (SELECT DISTINCT tracker_id, day FROM agg_dirty) d,
                 LATERAL (SELECT date_bin('1 %2$s', l.reported_at, 'epoch') AS bucket, %3$s FROM location_reports l
                          WHERE l.tracker_id = d.tracker_id AND l.reported_at >= d.day AND l.reported_at < d.day + interval '1 day'
                                AND NOT l.excluded GROUP BY 1) live$sql$,
            r.name, r.width, history_columns());
        EXECUTE format('COMMENT ON VIEW history_%s_now IS %L', r.name,
            'Summaries per tracker and ' || r.width || ' (UTC), right at this moment. For workers; the API reads location_history_' || r.name);
        EXECUTE format('GRANT SELECT ON history_%s_now TO tracker_worker, tracker_reader', r.name);

        -- Not security_invoker: the API has no right on reports. The join with trackers, whose policies hold
        -- for the owner of this view (tracker_reader), is what hides other tenants' rows.
        EXECUTE format($sql$
            CREATE VIEW location_history_%1$s AS
            SELECT t.client_id, h.tracker_id, h.bucket, h.reports,
                   h.first_at, h.first_latitude_e7 / 1e7::float8 AS first_latitude, h.first_longitude_e7 / 1e7::float8 AS first_longitude,
                   h.last_at, h.last_latitude_e7 / 1e7::float8 AS last_latitude, h.last_longitude_e7 / 1e7::float8 AS last_longitude,
                   h.best_at, h.best_latitude_e7 / 1e7::float8 AS best_latitude, h.best_longitude_e7 / 1e7::float8 AS best_longitude,
                   h.best_accuracy_m, h.best_confidence,
                   h.min_latitude_e7 / 1e7::float8 AS min_latitude, h.max_latitude_e7 / 1e7::float8 AS max_latitude,
                   h.min_longitude_e7 / 1e7::float8 AS min_longitude, h.max_longitude_e7 / 1e7::float8 AS max_longitude,
                   h.distance_m, g.name AS place, g.country_code AS place_country
            FROM history_%1$s_now h
            JOIN trackers t ON t.id = h.tracker_id
            LEFT JOIN geocoding_cache g ON g.places_precision = (SELECT geocode_precision())
                AND g.latitude_cell = geocode_cell(h.best_latitude_e7, (SELECT geocode_precision()))
                AND g.longitude_cell = geocode_cell(h.best_longitude_e7, (SELECT geocode_precision()))$sql$, r.name);
        EXECUTE format('COMMENT ON VIEW location_history_%s IS %L', r.name,
            'History per tracker and ' || r.width || ' (UTC), tenant-safe, up to date to the last stored report');
        EXECUTE format('GRANT SELECT ON location_history_%s TO tracker_api, tracker_worker', r.name);
        EXECUTE format('ALTER VIEW location_history_%s OWNER TO tracker_reader', r.name);
    END LOOP;
END
$do$;

CREATE VIEW tracker_reports AS
SELECT t.client_id, l.tracker_id, l.reported_at, l.received_at, l.latitude_e7 / 1e7::float8 AS latitude, l.longitude_e7 / 1e7::float8 AS longitude,
       l.accuracy_m, l.confidence, l.status, battery_of(l.status) AS battery, l.key_id, l.imported, l.excluded,
       CASE WHEN l.excluded THEN 'excluded' ELSE f.reason END AS flag,
       g.name AS place, g.country_code AS place_country, l.latitude_e7, l.longitude_e7
FROM location_reports l
JOIN trackers t ON t.id = l.tracker_id
LEFT JOIN report_flags f ON f.tracker_id = l.tracker_id AND f.reported_at = l.reported_at
    AND f.latitude_e7 = l.latitude_e7 AND f.longitude_e7 = l.longitude_e7
LEFT JOIN geocoding_cache g ON g.places_precision = (SELECT geocode_precision())
    AND g.latitude_cell = geocode_cell(l.latitude_e7, (SELECT geocode_precision()))
    AND g.longitude_cell = geocode_cell(l.longitude_e7, (SELECT geocode_precision()))
WHERE NOT l.excluded OR (SELECT app_role()) = 'admin';
COMMENT ON VIEW tracker_reports IS 'Reports of trackers, tenant-safe; those in exclusion areas for admins only. Name tracker_id and a range of reported_at';
COMMENT ON COLUMN tracker_reports.flag IS 'Why the report is not judged: excluded, low_confidence, inaccurate, jump; NULL for a judged one';
GRANT SELECT ON tracker_reports TO tracker_api, tracker_worker;
ALTER VIEW tracker_reports OWNER TO tracker_reader;
GRANT SELECT ON location_reports, report_flags, geocoding_cache, trackers, schema_info TO tracker_reader;

-- A tracker with reports is not deleted by chance. No foreign key says so, because it would cost a look-up
-- per report on the way in.
CREATE FUNCTION trackers_keep_reports() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM location_reports l WHERE l.tracker_id = OLD.id) THEN
        RAISE EXCEPTION 'tracker % has location reports', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'location_reports_tracker', TABLE = 'location_reports';
    END IF;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION trackers_keep_reports() IS 'Trigger: refuses to delete a tracker that has reports; erase_reports() first';
CREATE TRIGGER keep_reports BEFORE DELETE ON trackers FOR EACH ROW EXECUTE FUNCTION trackers_keep_reports();

CREATE FUNCTION erase_reports(trackers bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    erased bigint;
BEGIN
    WITH gone AS (DELETE FROM location_reports l WHERE l.tracker_id = ANY (trackers) RETURNING l.tracker_id, l.reported_at),
    dirty AS (
        INSERT INTO agg_dirty (tracker_id, day)
        SELECT DISTINCT g.tracker_id, date_bin('1 day', g.reported_at, 'epoch') FROM gone g)
    SELECT count(*) INTO erased FROM gone;
    DELETE FROM report_flags f WHERE f.tracker_id = ANY (trackers);
    DELETE FROM report_inbox i WHERE i.tracker_id = ANY (trackers);
    RETURN erased;
END
$$;
COMMENT ON FUNCTION erase_reports(bigint[]) IS 'Erases the reports of trackers, for the task that erases a client. Their history goes with the next refresh, and is unseen at once';
GRANT EXECUTE ON FUNCTION erase_reports(bigint[]) TO tracker_worker;

RESET ROLE;
