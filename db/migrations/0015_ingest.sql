-- Ingest: exclusion areas are looked up while reports are stored, and what cannot be used is counted once however
-- often Apple hands it out.
SET LOCAL ROLE tracker_owner;

-- ------------------------------------------------------------------ exclusion areas

CREATE FUNCTION in_exclusion_area(trackers bigint[], reported timestamptz[], latitudes double precision[], longitudes double precision[])
RETURNS boolean[] LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
BEGIN
    -- Most systems have no area, and then no report is looked at.
    IF NOT EXISTS (SELECT FROM exclusion_areas a WHERE a.archived_at IS NULL) THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(
        SELECT EXISTS (
            SELECT FROM exclusion_areas a
            WHERE a.archived_at IS NULL
                AND ST_Covers(a.area, ST_SetSRID(ST_MakePoint(i.longitude, i.latitude), 4326))
                AND (a.client_id IS NULL OR a.client_id = (SELECT t.client_id FROM trackers t WHERE t.id = i.tracker_id))
                AND (a.production_run_id IS NULL OR EXISTS (
                    SELECT FROM tracker_runs r
                    WHERE r.tracker_id = i.tracker_id AND r.production_run_id = a.production_run_id AND r.period @> i.reported_at)))
        FROM unnest(trackers, reported, latitudes, longitudes) WITH ORDINALITY
            AS i (tracker_id, reported_at, latitude, longitude, place)
        ORDER BY i.place);
END
$$;
COMMENT ON FUNCTION in_exclusion_area(bigint[], timestamptz[], double precision[], double precision[]) IS
    'For each report (parallel arrays): whether an area of everybody, of its client, or of its run at that time covers it. NULL when there is no area at all';

-- ------------------------------------------------------------------ the way in, faster

-- The same function with one column more, and without a look at the tracker of each report when all are known.
DROP FUNCTION store_reports(bigint[], timestamptz[], double precision[], double precision[], real[], smallint[], smallint[], bigint[], boolean[], boolean);
CREATE FUNCTION store_reports(
    trackers bigint[], reported timestamptz[], latitudes double precision[], longitudes double precision[],
    accuracies real[], confidences smallint[], statuses smallint[], keys bigint[], excludeds boolean[], is_import boolean DEFAULT false)
RETURNS TABLE (tracker_id bigint, reported_at timestamptz, latitude_e7 integer, longitude_e7 integer, is_excluded boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    horizon timestamptz := (SELECT value::timestamptz FROM schema_info WHERE key = 'report_horizon');
    all_known boolean := NOT EXISTS (
        SELECT FROM (SELECT DISTINCT unnest(trackers) AS id) named WHERE NOT EXISTS (SELECT FROM trackers t WHERE t.id = named.id));
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
        WHERE (horizon IS NULL OR i.reported_at >= horizon)
            AND (all_known OR EXISTS (SELECT FROM trackers t WHERE t.id = i.tracker_id))
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
    SELECT s.tracker_id, s.reported_at, s.latitude_e7, s.longitude_e7, s.excluded FROM stored s;
END
$$;
COMMENT ON FUNCTION store_reports(bigint[], timestamptz[], double precision[], double precision[], real[], smallint[], smallint[], bigint[], boolean[], boolean) IS
    'Stores reports (parallel arrays; unknown trackers and times before report_horizon are left out) with inbox and dirty log; returns the new ones';

-- ------------------------------------------------------------------ what cannot be used

CREATE TABLE rejected_payloads (
    tracker_id bigint NOT NULL,
    client_id  bigint NOT NULL,
    digest     text NOT NULL CONSTRAINT rejected_payloads_digest_form CHECK (digest ~ '^[0-9a-f]{32}$'),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    -- Serves: whether a payload was counted before; the clean-up of a tracker's old ones.
    PRIMARY KEY (tracker_id, digest),
    CONSTRAINT rejected_payloads_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE rejected_payloads IS 'Reports that could not be used, by a digest of their payload: Apple hands each out for a week, and it counts once';
CALL protect('rejected_payloads', row_rule('admin'), NULL, '');

CREATE FUNCTION count_rejected_once(trackers bigint[], reasons text[], digests text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    counted bigint;
BEGIN
    -- Apple forgets a report after seven days, so an older digest is of no more use.
    DELETE FROM rejected_payloads p WHERE p.tracker_id = ANY (trackers) AND p.seen_at < now() - interval '9 days';
    WITH fresh AS (
        INSERT INTO rejected_payloads AS p (tracker_id, client_id, digest)
        SELECT t.id, t.client_id, i.digest FROM (SELECT DISTINCT tracker_id, digest FROM unnest(trackers, digests) AS u (tracker_id, digest)) i
        JOIN trackers t ON t.id = i.tracker_id ORDER BY 1, 3
        ON CONFLICT DO NOTHING
        RETURNING p.tracker_id, p.client_id, p.digest
    ), sums AS (
        SELECT f.tracker_id, f.client_id, i.reason, count(*) AS reports
        FROM fresh f
        JOIN (SELECT DISTINCT ON (tracker_id, digest) tracker_id, digest, reason
              FROM unnest(trackers, digests, reasons) AS u (tracker_id, digest, reason) ORDER BY 1, 2, 3) i USING (tracker_id, digest)
        GROUP BY 1, 2, 3
    ), written AS (
        INSERT INTO rejected_reports (tracker_id, client_id, reason, reports)
        SELECT s.tracker_id, s.client_id, s.reason, s.reports FROM sums s ORDER BY 1, 3
        ON CONFLICT (tracker_id, day, reason) DO UPDATE SET reports = rejected_reports.reports + excluded.reports, last_at = now()
    )
    SELECT coalesce(sum(s.reports), 0) INTO counted FROM sums s;
    RETURN counted;
END
$$;
COMMENT ON FUNCTION count_rejected_once(bigint[], text[], text[]) IS
    'Counts rejected reports (parallel arrays) whose payload was not counted before; answers how many those are';

-- ------------------------------------------------------------------ a fetched batch

CREATE FUNCTION ingest_reports(
    trackers bigint[], reported timestamptz[], latitudes double precision[], longitudes double precision[],
    accuracies real[], confidences smallint[], statuses smallint[], keys bigint[], digests text[] DEFAULT NULL)
RETURNS TABLE (tracker_id bigint, stored bigint, excluded bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    inside boolean[] := in_exclusion_area(trackers, reported, latitudes, longitudes);
    dropped record;
    summary record;
BEGIN
    IF digests IS NOT NULL AND true = ANY (inside) THEN
        SELECT array_agg(i.tracker_id) AS trackers, array_agg(i.digest) AS digests INTO dropped
        FROM unnest(trackers, digests, inside) AS i (tracker_id, digest, inside) WHERE i.inside;
        PERFORM count_rejected_once(dropped.trackers, array_fill('excluded'::text, ARRAY[cardinality(dropped.trackers)]), dropped.digests);
        SELECT array_agg(i.tracker_id), array_agg(i.at), array_agg(i.lat), array_agg(i.lon), array_agg(i.accuracy), array_agg(i.confidence),
               array_agg(i.status), array_agg(i.key_id)
        INTO trackers, reported, latitudes, longitudes, accuracies, confidences, statuses, keys
        FROM unnest(trackers, reported, latitudes, longitudes, accuracies, confidences, statuses, keys, inside)
             AS i (tracker_id, at, lat, lon, accuracy, confidence, status, key_id, inside)
        WHERE NOT i.inside;
        inside := NULL;
    END IF;
    FOR summary IN
        SELECT s.tracker_id AS id, count(*) AS stored, count(*) FILTER (WHERE s.is_excluded) AS excluded
        FROM store_reports(trackers, reported, latitudes, longitudes, accuracies, confidences, statuses, keys, inside) s GROUP BY 1
    LOOP
        IF summary.excluded > 0 THEN
            PERFORM count_rejected(ARRAY[summary.id], ARRAY['excluded'], ARRAY[summary.excluded]);
        END IF;
        tracker_id := summary.id;
        stored := summary.stored;
        excluded := summary.excluded;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION ingest_reports(bigint[], timestamptz[], double precision[], double precision[], real[], smallint[], smallint[], bigint[], text[]) IS
    'Stores a fetched batch by store_reports(), with exclusion areas: reports inside are flagged, or dropped when digests of the payloads are given, and counted either way. Answers the new reports of each tracker';

GRANT EXECUTE ON FUNCTION in_exclusion_area(bigint[], timestamptz[], double precision[], double precision[]),
    store_reports(bigint[], timestamptz[], double precision[], double precision[], real[], smallint[], smallint[], bigint[], boolean[], boolean),
    count_rejected_once(bigint[], text[], text[]),
    ingest_reports(bigint[], timestamptz[], double precision[], double precision[], real[], smallint[], smallint[], bigint[], text[])
    TO tracker_worker;

RESET ROLE;
