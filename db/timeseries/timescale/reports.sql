-- Location reports and their history with TimescaleDB: a hypertable and continuous aggregates. Runs at the marker of
-- 0006_reports.sql. The same names and the same rows as the native form; what differs is how they are kept.

RESET ROLE;
CREATE EXTENSION IF NOT EXISTS timescaledb;
-- refresh_continuous_aggregate() is for the owner alone and commits, so no SECURITY DEFINER can lend the right.
GRANT tracker_owner TO tracker_worker;
SET LOCAL ROLE tracker_owner;

INSERT INTO schema_info VALUES ('timeseries_form', 'timescale');

-- No row security: TimescaleDB refuses it together with continuous aggregates and compression. The API has no right here.
CREATE TABLE location_reports (
    tracker_id   bigint NOT NULL,
    reported_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    key_id       bigint,
    latitude_e7  integer NOT NULL CONSTRAINT location_reports_latitude_range CHECK (latitude_e7 BETWEEN -900000000 AND 900000000),
    longitude_e7 integer NOT NULL CONSTRAINT location_reports_longitude_range CHECK (longitude_e7 BETWEEN -1800000000 AND 1800000000),
    accuracy_m   real NOT NULL CONSTRAINT location_reports_accuracy_range CHECK (accuracy_m BETWEEN 0 AND 100000),
    confidence   smallint NOT NULL CONSTRAINT location_reports_confidence_range CHECK (confidence BETWEEN 0 AND 255),
    status       smallint CONSTRAINT location_reports_status_range CHECK (status BETWEEN 0 AND 255),
    excluded     boolean NOT NULL DEFAULT false,
    imported     boolean NOT NULL DEFAULT false,
    -- Serves: the reports of one tracker in the order of time; refusing what is stored already.
    CONSTRAINT location_reports_pkey PRIMARY KEY (tracker_id, reported_at, latitude_e7, longitude_e7)
);
SELECT create_hypertable('location_reports', by_range('reported_at', INTERVAL '7 days'), create_default_indexes => false);
ALTER TABLE location_reports SET (timescaledb.compress, timescaledb.compress_segmentby = 'tracker_id',
                                  timescaledb.compress_orderby = 'reported_at, latitude_e7, longitude_e7');

-- The select list is history_columns(), written out because a continuous aggregate keeps the text of its query.
-- Materialised rows only: the real-time edge is history_*_now, which is right for late reports too.
CREATE MATERIALIZED VIEW history_hourly WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
SELECT tracker_id, time_bucket(INTERVAL '1 hour', reported_at) AS bucket,
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
FROM location_reports WHERE NOT excluded GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW history_daily WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
SELECT tracker_id, time_bucket(INTERVAL '1 day', reported_at) AS bucket,
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
FROM location_reports WHERE NOT excluded GROUP BY 1, 2
WITH NO DATA;

COMMENT ON TABLE location_reports IS 'Positions of trackers, never updated; only store_reports() adds rows. No row security and no right for the API, which reads tracker_reports';
COMMENT ON COLUMN location_reports.latitude_e7 IS 'Whole 1e-7 degrees, as in the payload: exact, and half the size of a geometry';
COMMENT ON COLUMN location_reports.status IS 'Status byte of the payload; NULL when the source has none. battery_of(status) is the battery level';
COMMENT ON COLUMN location_reports.excluded IS 'In an exclusion area: shown to admins only, judged and summarised never';
COMMENT ON VIEW history_hourly IS 'Summaries of reports per tracker and hour (UTC), as far as refreshed. Read history_hourly_now or location_history_hourly';
COMMENT ON VIEW history_daily IS 'Summaries of reports per tracker and day (UTC), as far as refreshed. Read history_daily_now or location_history_daily';

-- Chunks are made by the insert that needs them.
CREATE FUNCTION ensure_partitions_for(times timestamptz[]) RETURNS integer LANGUAGE sql IMMUTABLE RETURN 0;
COMMENT ON FUNCTION ensure_partitions_for(timestamptz[]) IS 'Nothing to do in this form';
CREATE FUNCTION ensure_partitions(ahead interval DEFAULT interval '2 months') RETURNS integer LANGUAGE sql IMMUTABLE RETURN 0;
COMMENT ON FUNCTION ensure_partitions(interval) IS 'Nothing to do in this form';

-- Driven by our scheduler, because TimescaleDB's own keeps wrong books on some PostgreSQL minors. The window spans the
-- logged days; within it only invalidated buckets are recomputed. Log entries are removed by id after
-- the refresh: those that came meanwhile stay, and their days go on being read live.
CREATE PROCEDURE refresh_history(INOUT refreshed bigint DEFAULT 0, max_batches integer DEFAULT 100, batch integer DEFAULT 500)
LANGUAGE plpgsql AS $$
DECLARE
    entries bigint[];
    low timestamptz;
    high timestamptz;
BEGIN
    refreshed := 0;
    SELECT array_agg(id), min(day), max(day) + interval '1 day' INTO entries, low, high
    FROM (SELECT id, day FROM agg_dirty ORDER BY id LIMIT max_batches * batch) oldest;
    COMMIT;
    IF entries IS NULL THEN
        RETURN;
    END IF;
    CALL refresh_continuous_aggregate('history_hourly', low, high);
    CALL refresh_continuous_aggregate('history_daily', low, high);
    DELETE FROM agg_dirty WHERE id = ANY (entries);
    COMMIT;
    refreshed := cardinality(entries);
END
$$;
COMMENT ON PROCEDURE refresh_history(bigint, integer, integer) IS
    'For the scheduler: brings the continuous aggregates up to date, outside of a transaction; answers how many log entries were settled';

CREATE FUNCTION compress_reports(older_than interval) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(compress_chunk(c, if_not_compressed => true))::integer
    FROM show_chunks('location_reports', older_than => older_than) c
$$;
COMMENT ON FUNCTION compress_reports(interval) IS 'For the scheduler: compresses chunks whose reports are all older than this';

CREATE FUNCTION drop_reports_before(horizon timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    cut constant timestamptz := date_trunc('month', horizon);
    dropped integer;
BEGIN
    -- Set first: from here on store_reports() leaves out what is older. A refresh over a dropped range would
    -- delete its buckets, so the log must hold nothing of that range.
    INSERT INTO schema_info VALUES ('report_horizon', to_char(cut, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    ON CONFLICT (key) DO UPDATE SET value = greatest(schema_info.value, excluded.value);
    IF EXISTS (SELECT FROM agg_dirty WHERE day < cut) THEN
        RETURN 0;
    END IF;
    SELECT count(*)::integer INTO dropped FROM drop_chunks('location_reports', older_than => cut);
    DELETE FROM report_flags WHERE reported_at < cut;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION drop_reports_before(timestamptz) IS
    'For the scheduler, where a retention is set: drops chunks before the horizon and keeps their summaries; answers how many went';

GRANT SELECT ON location_reports, history_hourly, history_daily TO tracker_worker;
GRANT EXECUTE ON FUNCTION ensure_partitions_for(timestamptz[]), ensure_partitions(interval), compress_reports(interval),
    drop_reports_before(timestamptz) TO tracker_worker;
GRANT EXECUTE ON PROCEDURE refresh_history(bigint, integer, integer) TO tracker_worker;
