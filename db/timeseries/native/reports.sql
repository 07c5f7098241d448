-- Location reports and their history in plain PostgreSQL: range partitions made ahead and on demand, and
-- summaries that are refreshed by key. Runs at the marker of 0006_reports.sql.

INSERT INTO schema_info VALUES ('timeseries_form', 'native');

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
) PARTITION BY RANGE (reported_at);

CREATE TABLE history_hourly (
    tracker_id         bigint NOT NULL,
    bucket             timestamptz NOT NULL,
    reports            bigint NOT NULL,
    first_at           timestamptz NOT NULL,
    first_latitude_e7  integer NOT NULL,
    first_longitude_e7 integer NOT NULL,
    last_at            timestamptz NOT NULL,
    last_latitude_e7   integer NOT NULL,
    last_longitude_e7  integer NOT NULL,
    best_at            timestamptz NOT NULL,
    best_latitude_e7   integer NOT NULL,
    best_longitude_e7  integer NOT NULL,
    best_accuracy_m    real NOT NULL,
    best_confidence    smallint NOT NULL,
    min_latitude_e7    integer NOT NULL,
    max_latitude_e7    integer NOT NULL,
    min_longitude_e7   integer NOT NULL,
    max_longitude_e7   integer NOT NULL,
    distance_m         double precision NOT NULL,
    -- Serves: the history of one tracker over a range.
    CONSTRAINT history_hourly_pkey PRIMARY KEY (tracker_id, bucket)
) PARTITION BY RANGE (bucket);

CREATE TABLE history_daily (LIKE history_hourly, CONSTRAINT history_daily_pkey PRIMARY KEY (tracker_id, bucket)) PARTITION BY RANGE (bucket);

COMMENT ON TABLE location_reports IS 'Positions of trackers, never updated; only store_reports() adds rows. No row security and no right for the API, which reads tracker_reports';
COMMENT ON COLUMN location_reports.latitude_e7 IS 'Whole 1e-7 degrees, as in the payload: exact, and half the size of a geometry';
COMMENT ON COLUMN location_reports.status IS 'Status byte of the payload; NULL when the source has none. battery_of(status) is the battery level';
COMMENT ON COLUMN location_reports.excluded IS 'In an exclusion area: shown to admins only, judged and summarised never';
COMMENT ON TABLE history_hourly IS 'Summaries of reports per tracker and hour (UTC), as far as refreshed. Read history_hourly_now or location_history_hourly';
COMMENT ON TABLE history_daily IS 'Summaries of reports per tracker and day (UTC), as far as refreshed. Read history_daily_now or location_history_daily';

-- Monthly for reports and hours: at 10 million reports a day a partition and its index stay near 30 GB, and years
-- of imported reports make some dozens of tables, not hundreds. Yearly for days.
CREATE FUNCTION ensure_partitions_for(times timestamptz[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    p record;
    made integer := 0;
BEGIN
    FOR p IN
        SELECT DISTINCT t.parent, date_trunc(t.step, x) AS low, date_trunc(t.step, x) + ('1 ' || t.step)::interval AS high,
               t.parent || to_char(x, t.suffix) AS name
        FROM unnest(times) x,
             (VALUES ('location_reports', 'month', '"_"YYYY"_"MM'), ('history_hourly', 'month', '"_"YYYY"_"MM'), ('history_daily', 'year', '"_"YYYY'))
                 t (parent, step, suffix)
        WHERE to_regclass(t.parent || to_char(x, t.suffix)) IS NULL
        ORDER BY 1, 2
    LOOP
        IF p.low < '1990-01-01' OR p.high > now() + interval '10 years' THEN
            RAISE EXCEPTION 'no partition of % is made for %', p.parent, p.low USING ERRCODE = 'datetime_field_overflow';
        END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended('ensure_partitions', 0));
        -- ATTACH takes this lock anyhow. Taken before the next look, it also makes this session hear of what the last
        -- holder has made; an advisory lock does not, and the name would still be cached as missing.
        EXECUTE format('LOCK TABLE %I IN SHARE UPDATE EXCLUSIVE MODE', p.parent);
        CONTINUE WHEN to_regclass(p.name) IS NOT NULL; -- made by the last holder of the lock
        -- ATTACH and not PARTITION OF: that would shut out readers and writers of all partitions.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', p.name, p.parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p.parent, p.name, p.low, p.high);
        EXECUTE format('GRANT SELECT ON %I TO tracker_worker', p.name);
        IF p.parent <> 'location_reports' THEN
            EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %I TO tracker_worker', p.name);
        END IF;
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION ensure_partitions_for(timestamptz[]) IS
    'Makes the partitions that hold these times, and answers how many were missing. store_reports() calls it, so reports of any age find their place';

CREATE FUNCTION ensure_partitions(ahead interval DEFAULT interval '2 months') RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
    SELECT ensure_partitions_for(ARRAY(
        -- One month back: reports come up to 8 days late.
        SELECT generate_series(date_trunc('month', now()) - interval '1 month', now() + ahead, interval '1 month')))
$$;
COMMENT ON FUNCTION ensure_partitions(interval) IS 'For migrate and the scheduler: makes partitions ahead of time; answers how many';

-- Without JIT: compiling takes longer than a batch (measured: 75 microseconds per key instead of 210).
CREATE FUNCTION refresh_history_batch(batch integer DEFAULT 500) RETURNS integer
LANGUAGE plpgsql SET jit = off AS $$
DECLARE
    trackers bigint[];
    days timestamptz[];
    taken_keys integer;
    target record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'refresh_history_batch needs READ COMMITTED: reports are read by a later snapshot than the log';
    END IF;
    -- One refresher: two of one key could finish in the wrong order and leave the older value.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('refresh_history', 0)) THEN
        RETURN 0;
    END IF;

    -- First take the visible log entries of the keys, then read the reports in a later statement. A writer whose
    -- entry is not visible here has not committed; its entry stays, and the next pass repairs what this one misses.
    WITH keys AS (
        SELECT DISTINCT tracker_id, day FROM (SELECT tracker_id, day FROM agg_dirty ORDER BY id LIMIT batch) oldest
    ), taken AS (
        DELETE FROM agg_dirty d USING keys k WHERE d.tracker_id = k.tracker_id AND d.day = k.day
    )
    -- A late report may have slipped in while its month was being dropped. Its summaries stay as they were when they
    -- were whole.
    SELECT count(*), array_agg(tracker_id ORDER BY day, tracker_id) FILTER (WHERE stored), array_agg(day ORDER BY day, tracker_id) FILTER (WHERE stored)
    INTO taken_keys, trackers, days
    FROM (SELECT *, to_regclass('location_reports' || to_char(day AT TIME ZONE 'UTC', '"_"YYYY"_"MM')) IS NOT NULL AS stored FROM keys) k;
    IF trackers IS NULL THEN
        RETURN taken_keys;
    END IF;

    -- Whole buckets from the reports, never increments: right after deletes too, and right when done twice. Of the
    -- hours of a day only those that differ are written.
    FOR target IN SELECT * FROM (VALUES ('history_hourly', '1 hour'), ('history_daily', '1 day')) v (name, width) LOOP
        EXECUTE format($sql$
            WITH keys AS (
                SELECT * FROM unnest($1, $2) AS k (tracker_id, day)
            ), fresh AS MATERIALIZED (
                SELECT k.tracker_id, s.* FROM keys k,
                     LATERAL (SELECT date_bin(%2$L, l.reported_at, 'epoch') AS bucket, %3$s FROM location_reports l
                              WHERE l.tracker_id = k.tracker_id AND l.reported_at >= k.day AND l.reported_at < k.day + interval '1 day'
                                    AND NOT l.excluded GROUP BY 1) s
            ), emptied AS (
                DELETE FROM %1$I h USING keys k
                WHERE h.tracker_id = k.tracker_id AND h.bucket >= k.day AND h.bucket < k.day + interval '1 day'
                      AND h.bucket >= $3 AND h.bucket < $4 + interval '1 day'
                      AND NOT EXISTS (SELECT FROM fresh f WHERE f.tracker_id = h.tracker_id AND f.bucket = h.bucket)
            )
            INSERT INTO %1$I AS h SELECT * FROM fresh
            ON CONFLICT (tracker_id, bucket) DO UPDATE SET %4$s WHERE h.* IS DISTINCT FROM excluded.*$sql$,
            target.name, target.width, history_columns(),
            (SELECT string_agg(format('%1$I = excluded.%1$I', attname), ', ') FROM pg_attribute
             WHERE attrelid = target.name::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('tracker_id', 'bucket')))
            USING trackers, days, days[1], days[cardinality(days)];
    END LOOP;
    RETURN taken_keys;
END
$$;
COMMENT ON FUNCTION refresh_history_batch(integer) IS 'Brings the summaries of the oldest dirty keys up to date in the caller''s transaction; answers how many keys';

CREATE PROCEDURE refresh_history(INOUT refreshed bigint DEFAULT 0, max_batches integer DEFAULT 100, batch integer DEFAULT 500)
LANGUAGE plpgsql AS $$
DECLARE
    n integer;
BEGIN
    refreshed := 0;
    FOR i IN 1..max_batches LOOP
        n := refresh_history_batch(batch);
        COMMIT;
        EXIT WHEN n = 0;
        refreshed := refreshed + n;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE refresh_history(bigint, integer, integer) IS
    'For the scheduler: brings the summaries up to date, a transaction per batch (so call it outside of one); answers how many keys';

CREATE FUNCTION compress_reports(older_than interval) RETURNS integer LANGUAGE sql IMMUTABLE RETURN 0;
COMMENT ON FUNCTION compress_reports(interval) IS 'For the scheduler: nothing to do in this form';

CREATE FUNCTION drop_reports_before(horizon timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    cut constant timestamptz := date_trunc('month', horizon);
    old text;
    dropped integer := 0;
BEGIN
    -- Set first: from here on store_reports() leaves out what is older, so no late report can make a bucket
    -- dirty whose other reports are gone.
    INSERT INTO schema_info VALUES ('report_horizon', to_char(cut, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    ON CONFLICT (key) DO UPDATE SET value = greatest(schema_info.value, excluded.value);
    IF EXISTS (SELECT FROM agg_dirty WHERE day < cut) THEN
        RETURN 0; -- summaries of that time are still being made; the next call drops
    END IF;
    FOR old IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'location_reports'::regclass AND c.relname < 'location_reports' || to_char(cut, '"_"YYYY"_"MM') ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', old);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM report_flags WHERE reported_at < cut;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION drop_reports_before(timestamptz) IS
    'For the scheduler, where a retention is set: drops reports of the months before the horizon and keeps their summaries; answers how many partitions went';

GRANT SELECT ON location_reports TO tracker_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON history_hourly, history_daily TO tracker_worker;
GRANT EXECUTE ON FUNCTION ensure_partitions_for(timestamptz[]), ensure_partitions(interval), refresh_history_batch(integer),
    compress_reports(interval), drop_reports_before(timestamptz) TO tracker_worker;
GRANT EXECUTE ON PROCEDURE refresh_history(bigint, integer, integer) TO tracker_worker;

SELECT ensure_partitions();
