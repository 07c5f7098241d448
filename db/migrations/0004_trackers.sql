-- Trackers, their keys and their runs over time; counts of trackers by status that need no counting.
SET LOCAL ROLE tracker_owner;

CREATE TYPE tracker_status AS ENUM ('CREATED', 'IN_TRANSIT', 'IN_STORAGE', 'DELIVERED');
CREATE TYPE battery_level AS ENUM ('full', 'medium', 'low', 'very_low');

-- ------------------------------------------------------------------ map keys

-- Row security lets only leak-proof operators use an index, and those of PostGIS are not. So the map finds
-- trackers by an integer: the web-mercator tile of zoom 24 in Morton order. Every tile of a lower zoom
-- is one contiguous range of it, [map_tile_low(z,x,y), map_tile_low(z,x,y) + (1 << 2*(24-z))), and a
-- right shift is the cell of a cluster. Names are qualified, because a restore from pg_dump computes
-- generated columns with an empty search path.
CREATE FUNCTION morton(x bigint, y bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    v bigint[] := ARRAY[x, y];
BEGIN
    FOR i IN 1..2 LOOP
        v[i] := (v[i] | (v[i] << 16)) & 281470681808895;      -- 0x0000FFFF0000FFFF
        v[i] := (v[i] | (v[i] << 8)) & 71777214294589695;     -- 0x00FF00FF00FF00FF
        v[i] := (v[i] | (v[i] << 4)) & 1085102592571150095;   -- 0x0F0F0F0F0F0F0F0F
        v[i] := (v[i] | (v[i] << 2)) & 3689348814741910323;   -- 0x3333333333333333
        v[i] := (v[i] | (v[i] << 1)) & 6148914691236517205;   -- 0x5555555555555555
    END LOOP;
    RETURN v[1] | (v[2] << 1);
END
$$;
COMMENT ON FUNCTION morton(bigint, bigint) IS 'Interleaves the bits of x (even places) and y (odd places), 24 bits each';

CREATE FUNCTION map_key(latitude double precision, longitude double precision) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    size constant double precision := 16777216; -- tiles per side at zoom 24, 2.4 m each at the equator
    lat constant double precision := radians(greatest(-85.0511287798066, least(85.0511287798066, latitude)));
BEGIN
    RETURN public.morton(
        greatest(0, least(size - 1, floor((longitude + 180) / 360 * size)))::bigint,
        greatest(0, least(size - 1, floor((1 - ln(tan(lat) + 1 / cos(lat)) / pi()) / 2 * size)))::bigint);
END
$$;
COMMENT ON FUNCTION map_key(double precision, double precision) IS 'Web-mercator tile of zoom 24 in Morton order';

CREATE FUNCTION map_tile_low(z integer, x integer, y integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN public.morton(x, y) << (2 * (24 - z));
END
$$;
COMMENT ON FUNCTION map_tile_low(integer, integer, integer) IS 'Lowest map_key within a tile; the tile ends before this + (1 << 2*(24-z))';
GRANT EXECUTE ON FUNCTION morton(bigint, bigint), map_key(double precision, double precision),
    map_tile_low(integer, integer, integer) TO tracker_api, tracker_worker;

-- ------------------------------------------------------------------ trackers

CREATE TABLE trackers (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint NOT NULL REFERENCES clients,
    production_run_id bigint,
    name              text NOT NULL CONSTRAINT trackers_name_length CHECK (length(name) BETWEEN 1 AND 200),
    description       text NOT NULL DEFAULT '' CONSTRAINT trackers_description_length CHECK (length(description) <= 4000),
    mac_address       text CONSTRAINT trackers_mac_form CHECK (mac_address ~ '^([0-9A-F]{2}:){5}[0-9A-F]{2}$'),

    status            tracker_status NOT NULL DEFAULT 'CREATED',
    status_since      timestamptz NOT NULL DEFAULT now(),
    location_id       bigint,
    last_report_at    timestamptz,
    last_latitude     double precision CONSTRAINT trackers_latitude_range CHECK (last_latitude BETWEEN -90 AND 90),
    last_longitude    double precision CONSTRAINT trackers_longitude_range CHECK (last_longitude BETWEEN -180 AND 180),
    last_accuracy_m   real CONSTRAINT trackers_accuracy_positive CHECK (last_accuracy_m >= 0),
    last_confidence   smallint CONSTRAINT trackers_confidence_range CHECK (last_confidence BETWEEN 0 AND 3),
    last_place        text CONSTRAINT trackers_place_length CHECK (length(last_place) <= 300),
    battery           battery_level,

    last_fetched_at   timestamptz,
    next_fetch_at     timestamptz,
    fetch_failures    smallint NOT NULL DEFAULT 0 CONSTRAINT trackers_failures_positive CHECK (fetch_failures >= 0),
    lease_owner       text CONSTRAINT trackers_lease_owner_length CHECK (length(lease_owner) <= 100),
    lease_until       timestamptz,

    judged_until      timestamptz,
    judge_state       jsonb CONSTRAINT trackers_judge_state_size CHECK (pg_column_size(judge_state) <= 4096),

    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    version           bigint NOT NULL DEFAULT 1,
    archived_at       timestamptz,
    map_key           bigint GENERATED ALWAYS AS (map_key(last_latitude, last_longitude)) STORED,

    CONSTRAINT trackers_run_fkey FOREIGN KEY (client_id, production_run_id) REFERENCES production_runs (client_id, id),
    CONSTRAINT trackers_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id),
    CONSTRAINT trackers_position_whole CHECK ((last_latitude IS NULL) = (last_longitude IS NULL)),
    CONSTRAINT trackers_lease_whole CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    -- Target of composite foreign keys; serves: list trackers of a client, keyset pages by id.
    CONSTRAINT trackers_client_id_key UNIQUE (client_id, id)
);
COMMENT ON TABLE trackers IS 'Tags. A tag that goes to another client becomes a new tracker there: the client of a tracker never changes';
COMMENT ON COLUMN trackers.production_run_id IS 'The run of this moment, kept equal to tracker_runs in both directions: setting it moves the tracker from now on';
COMMENT ON COLUMN trackers.location_id IS 'The place that the tracker is in by the status rules; NULL for none';
COMMENT ON COLUMN trackers.last_report_at IS 'Time of the newest report that is not excluded; the last_ columns and battery are of that report';
COMMENT ON COLUMN trackers.next_fetch_at IS 'Due from this time; NULL while there is nothing to ask for (no run, run not in progress, archived)';
COMMENT ON COLUMN trackers.fetch_failures IS 'Failures in a row: the next fetch is pushed back by 2, 4, 8, 16 intervals';
COMMENT ON COLUMN trackers.lease_until IS 'A worker fetches this tracker at the moment; when the time has passed, that worker is dead';
COMMENT ON COLUMN trackers.judged_until IS 'Time of the newest judged report: an older one that arrives makes a replay';
COMMENT ON COLUMN trackers.judge_state IS 'State of the status rules after judged_until, so that new reports need no replay';
COMMENT ON COLUMN trackers.map_key IS 'Tile of the last position, see map_key()';

-- Serves: creating, renaming and importing (unique within the client).
CREATE UNIQUE INDEX trackers_name_key ON trackers (client_id, lower(name)) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX trackers_mac_key ON trackers (client_id, mac_address) WHERE archived_at IS NULL AND mac_address IS NOT NULL;
-- Serve: lists of a client, sorted by each column that may be sorted by, keyset pages.
CREATE INDEX trackers_by_name ON trackers (client_id, name, id);
CREATE INDEX trackers_by_created ON trackers (client_id, created_at, id);
CREATE INDEX trackers_by_status_since ON trackers (client_id, status_since, id);
CREATE INDEX trackers_by_last_report ON trackers (client_id, last_report_at, id);
-- Serve: the same lists for an admin, who names no client.
CREATE INDEX trackers_all_by_name ON trackers (name, id);
CREATE INDEX trackers_all_by_created ON trackers (created_at, id);
CREATE INDEX trackers_all_by_status_since ON trackers (status_since, id);
CREATE INDEX trackers_all_by_last_report ON trackers (last_report_at, id);
-- Serves: lists filtered by status, of a client or of all; the leading column has four values, which a merge visits.
CREATE INDEX trackers_by_status ON trackers (client_id, status, id);
CREATE INDEX trackers_all_by_status ON trackers (status, id);
-- Serves: the trackers of a run, by status.
CREATE INDEX trackers_by_run ON trackers (production_run_id, status, id) WHERE production_run_id IS NOT NULL;
-- Serves: the trackers that are in a place; deleting a place.
CREATE INDEX trackers_by_location ON trackers (location_id, id) WHERE location_id IS NOT NULL;
-- Serves: the fetcher's "due trackers, oldest first". Holds only trackers that are to be fetched.
CREATE INDEX trackers_due ON trackers (next_fetch_at, id) WHERE next_fetch_at IS NOT NULL AND archived_at IS NULL;
-- Serve: map tiles, of a client or of all.
CREATE INDEX trackers_by_map_key ON trackers (client_id, map_key) WHERE archived_at IS NULL AND map_key IS NOT NULL;
CREATE INDEX trackers_all_by_map_key ON trackers (map_key) WHERE archived_at IS NULL AND map_key IS NOT NULL;

CALL versioned('trackers', ARRAY['lease_owner', 'lease_until']);
CALL protect('trackers', row_rule('tenant'), row_rule('manager'));

-- ------------------------------------------------------------------ keys

CREATE TABLE tracker_keys (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id          bigint NOT NULL,
    tracker_id         bigint NOT NULL,
    kind               text NOT NULL DEFAULT 'static' CONSTRAINT tracker_keys_kind_known CHECK (kind IN ('static', 'rolling')),
    period             tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL)
                       CONSTRAINT tracker_keys_period_form CHECK (NOT isempty(period) AND (upper_inf(period) OR NOT upper_inc(period))),
    advertisement_key  bytea CONSTRAINT tracker_keys_advertisement_size CHECK (octet_length(advertisement_key) = 28),
    fingerprint        bytea CONSTRAINT tracker_keys_fingerprint_size CHECK (octet_length(fingerprint) = 32),
    private_key_sealed bytea CONSTRAINT tracker_keys_private_size CHECK (octet_length(private_key_sealed) BETWEEN 28 AND 1024),
    master_key_id      text CONSTRAINT tracker_keys_master_key_id_length CHECK (length(master_key_id) BETWEEN 1 AND 64),
    paired_at          timestamptz,
    alignment_index    bigint CONSTRAINT tracker_keys_alignment_positive CHECK (alignment_index >= 0),
    alignment_at       timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    key_hash           bytea GENERATED ALWAYS AS (coalesce(sha256(advertisement_key), fingerprint)) STORED,
    CONSTRAINT tracker_keys_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT tracker_keys_static_form CHECK (kind <> 'static' OR (advertisement_key IS NOT NULL AND fingerprint IS NULL
        AND paired_at IS NULL AND alignment_index IS NULL)),
    CONSTRAINT tracker_keys_rolling_form CHECK (kind <> 'rolling' OR (advertisement_key IS NULL AND fingerprint IS NOT NULL
        AND private_key_sealed IS NOT NULL AND paired_at IS NOT NULL)),
    CONSTRAINT tracker_keys_alignment_whole CHECK ((alignment_index IS NULL) = (alignment_at IS NULL)),
    CONSTRAINT tracker_keys_sealed_whole CHECK ((private_key_sealed IS NULL) = (master_key_id IS NULL)),
    -- No two trackers have one key at the same time, whosever they are.
    CONSTRAINT tracker_keys_one_tracker_at_a_time EXCLUDE USING gist (key_hash WITH =, period WITH &&)
);
COMMENT ON TABLE tracker_keys IS 'Keys of trackers: one static key, several, or the secrets of a rolling accessory, each valid for a period';
COMMENT ON COLUMN tracker_keys.advertisement_key IS 'Public key that the tag broadcasts (x coordinate on P-224); NULL for a rolling accessory';
COMMENT ON COLUMN tracker_keys.fingerprint IS 'Rolling accessory: SHA-256 of its master key, the identity by which it is owned once';
COMMENT ON COLUMN tracker_keys.key_hash IS 'SHA-256 of the advertisement key, by which Apple is asked; computed here, so that it cannot be wrong';
COMMENT ON COLUMN tracker_keys.private_key_sealed IS 'Private key, or master key with SKN and SKS, sealed with the master key. The API may write it and never read it';
COMMENT ON COLUMN tracker_keys.master_key_id IS 'Which master key sealed it, for rotation';
COMMENT ON COLUMN tracker_keys.alignment_index IS 'Rolling accessory: the slot that was last surely seen, at alignment_at; moves forward only';
-- Serves: whose report is this (answers of Apple name the hash).
CREATE INDEX tracker_keys_by_hash ON tracker_keys (key_hash);
-- Serves: the keys of the trackers of a fetch batch; deleting a tracker.
CREATE INDEX tracker_keys_by_tracker ON tracker_keys (tracker_id);
-- Serves: keys still sealed with an older master key.
CREATE INDEX tracker_keys_by_master_key ON tracker_keys (master_key_id, id) WHERE master_key_id IS NOT NULL;

CALL protect('tracker_keys', row_rule('manager'), row_rule('manager'), 'INSERT, DELETE');
CREATE TRIGGER keep_client BEFORE UPDATE OF client_id ON tracker_keys FOR EACH ROW
    WHEN (OLD.client_id IS DISTINCT FROM NEW.client_id) EXECUTE FUNCTION keep_client();
-- Everything but the sealed secret.
GRANT SELECT (id, client_id, tracker_id, kind, period, advertisement_key, key_hash, master_key_id, paired_at,
              alignment_index, alignment_at, created_at), UPDATE (period) ON tracker_keys TO tracker_api;

-- ------------------------------------------------------------------ runs of trackers

CREATE TABLE tracker_runs (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint NOT NULL,
    tracker_id        bigint NOT NULL,
    production_run_id bigint NOT NULL,
    period            tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL)
                      CONSTRAINT tracker_runs_period_form CHECK (NOT isempty(period) AND (upper_inf(period) OR NOT upper_inc(period))),
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tracker_runs_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT tracker_runs_run_fkey FOREIGN KEY (client_id, production_run_id) REFERENCES production_runs (client_id, id),
    -- One run at a time. Serves: the run of a tracker at the time of a report.
    CONSTRAINT tracker_runs_no_overlap EXCLUDE USING gist (tracker_id WITH =, period WITH &&)
);
COMMENT ON TABLE tracker_runs IS 'Which run a tracker belonged to and when: a report is judged against the run of its own time';
COMMENT ON COLUMN tracker_runs.period IS 'The first run of a tracker reaches back without bound, so that reports imported from before it was entered count';
-- Serves: the trackers of a run, past ones included; deleting a run.
CREATE INDEX tracker_runs_by_run ON tracker_runs (production_run_id, tracker_id);
CALL protect('tracker_runs', row_rule('tenant'), row_rule('manager'));

-- trackers.production_run_id and tracker_runs are two views of one fact and follow each other. Only a direct
-- write (trigger depth 0) is passed on, so the two never answer each other.

CREATE FUNCTION tracker_runs_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tracker_runs (client_id, tracker_id, production_run_id)
    SELECT client_id, id, production_run_id FROM added WHERE production_run_id IS NOT NULL;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tracker_runs_start() IS 'Trigger: new trackers belong to their run since ever';
CREATE TRIGGER start_run AFTER INSERT ON trackers REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tracker_runs_start();

CREATE FUNCTION tracker_runs_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM tracker_runs WHERE tracker_id = NEW.id AND lower(period) >= now();
    UPDATE tracker_runs SET period = tstzrange(lower(period), now()) WHERE tracker_id = NEW.id AND period @> now();
    IF NEW.production_run_id IS NOT NULL THEN
        INSERT INTO tracker_runs (client_id, tracker_id, production_run_id, period)
        VALUES (NEW.client_id, NEW.id, NEW.production_run_id,
                tstzrange((SELECT now() WHERE EXISTS (SELECT FROM tracker_runs WHERE tracker_id = NEW.id)), NULL));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tracker_runs_move() IS 'Trigger: a tracker that is given another run leaves the old one now, and plans for later fall away';
CREATE TRIGGER move_run AFTER UPDATE OF production_run_id ON trackers FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND OLD.production_run_id IS DISTINCT FROM NEW.production_run_id)
    EXECUTE FUNCTION tracker_runs_move();

CREATE FUNCTION tracker_runs_follow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tracker bigint := coalesce(NEW.tracker_id, OLD.tracker_id);
    run bigint;
BEGIN
    SELECT production_run_id INTO run FROM tracker_runs WHERE tracker_id = tracker AND period @> now();
    UPDATE trackers SET production_run_id = run WHERE id = tracker AND production_run_id IS DISTINCT FROM run;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tracker_runs_follow() IS 'Trigger: a changed history of runs changes the tracker''s run of this moment';
CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON tracker_runs FOR EACH ROW
    WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION tracker_runs_follow();

-- Serves: turn_runs(), which looks for periods that have begun or ended lately.
CREATE INDEX tracker_runs_by_start ON tracker_runs (lower(period)) WHERE NOT lower_inf(period);
CREATE INDEX tracker_runs_by_end ON tracker_runs (upper(period)) WHERE NOT upper_inf(period);

CREATE FUNCTION turn_runs(since timestamptz DEFAULT now() - interval '1 day') RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH touched AS (
        SELECT tracker_id FROM tracker_runs WHERE NOT lower_inf(period) AND lower(period) BETWEEN since AND now()
        UNION
        SELECT tracker_id FROM tracker_runs WHERE NOT upper_inf(period) AND upper(period) BETWEEN since AND now()
    ), turned AS (
        UPDATE trackers t SET production_run_id = r.production_run_id
        FROM touched LEFT JOIN tracker_runs r ON r.tracker_id = touched.tracker_id AND r.period @> now()
        WHERE t.id = touched.tracker_id AND t.production_run_id IS DISTINCT FROM r.production_run_id
        RETURNING t.id
    )
    SELECT count(*) FROM turned
$$;
COMMENT ON FUNCTION turn_runs(timestamptz) IS 'For the scheduler, every minute: planned moves between runs whose time has come';

-- ------------------------------------------------------------------ who is due

CREATE FUNCTION trackers_arm() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.archived_at IS NULL AND EXISTS (
        SELECT FROM production_runs r WHERE r.id = NEW.production_run_id AND r.archived_at IS NULL
            AND r.starts_at <= now() AND (r.ends_at IS NULL OR r.ends_at >= now())) THEN
        NEW.next_fetch_at := coalesce(NEW.next_fetch_at, now());
    ELSE
        NEW.next_fetch_at := NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION trackers_arm() IS 'Trigger: a tracker whose run is in progress is due, any other is not';
CREATE TRIGGER arm BEFORE INSERT OR UPDATE OF production_run_id, archived_at ON trackers
    FOR EACH ROW EXECUTE FUNCTION trackers_arm();

CREATE FUNCTION arm_fetches() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH turned AS (
        UPDATE production_runs r SET fetching = NOT fetching
        WHERE fetching <> (archived_at IS NULL AND starts_at <= now() AND (ends_at IS NULL OR ends_at >= now()))
        RETURNING id, fetching
    ), armed AS (
        UPDATE trackers t SET next_fetch_at = CASE WHEN turned.fetching THEN coalesce(t.next_fetch_at, now()) END
        FROM turned WHERE t.production_run_id = turned.id AND t.archived_at IS NULL
            AND turned.fetching <> (t.next_fetch_at IS NOT NULL)
        RETURNING t.id
    )
    SELECT count(*) FROM armed
$$;
COMMENT ON FUNCTION arm_fetches() IS 'For the scheduler, every minute: trackers of runs that have begun become due, those of ended runs leave the queue';
GRANT EXECUTE ON FUNCTION turn_runs(timestamptz), arm_fetches() TO tracker_worker;

-- ------------------------------------------------------------------ counts

-- A counter row per client would make every status change of that client wait for the last one. So changes
-- are appended, and folded into the sums now and then; the sum of both is exact at any moment.
CREATE TABLE tracker_counts (
    client_id         bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    production_run_id bigint NOT NULL DEFAULT 0,
    status            tracker_status NOT NULL,
    trackers          bigint NOT NULL,
    -- Serves: counts of a client, and of one of its runs.
    PRIMARY KEY (client_id, production_run_id, status)
);
COMMENT ON TABLE tracker_counts IS 'Trackers in use by client, run and status, as far as folded. Read tracker_status_counts instead';
COMMENT ON COLUMN tracker_counts.production_run_id IS '0 for trackers without a run';
CREATE TABLE tracker_count_changes (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint NOT NULL,
    production_run_id bigint NOT NULL,
    status            tracker_status NOT NULL,
    change            bigint NOT NULL
);
COMMENT ON TABLE tracker_count_changes IS 'Changes of tracker_counts that are not folded yet';
-- Serves: counts of a client.
CREATE INDEX tracker_count_changes_by_client ON tracker_count_changes (client_id);
CALL protect('tracker_counts', row_rule('tenant'), row_rule('admin'), 'SELECT');
CALL protect('tracker_count_changes', row_rule('tenant'), row_rule('admin'), 'SELECT');

CREATE VIEW tracker_status_counts WITH (security_invoker = true) AS
SELECT client_id, nullif(production_run_id, 0) AS production_run_id, status, sum(n)::bigint AS trackers
FROM (SELECT client_id, production_run_id, status, trackers AS n FROM tracker_counts
      UNION ALL
      SELECT client_id, production_run_id, status, change FROM tracker_count_changes) parts
GROUP BY client_id, parts.production_run_id, status
HAVING sum(n) <> 0;
COMMENT ON VIEW tracker_status_counts IS 'How many trackers that are not archived a client has, by run and status; exact, without counting trackers';
GRANT SELECT ON tracker_status_counts TO tracker_api, tracker_worker;

CREATE FUNCTION tracker_counts_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO tracker_count_changes (client_id, production_run_id, status, change)
    SELECT client_id, coalesce(production_run_id, 0), status, count(*) FROM added WHERE archived_at IS NULL GROUP BY 1, 2, 3;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tracker_counts_insert() IS 'Trigger: counts new trackers';
CREATE TRIGGER count_insert AFTER INSERT ON trackers REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tracker_counts_insert();

CREATE FUNCTION tracker_counts_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.archived_at IS NULL THEN
        INSERT INTO tracker_count_changes (client_id, production_run_id, status, change)
        VALUES (OLD.client_id, coalesce(OLD.production_run_id, 0), OLD.status, -1);
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.archived_at IS NULL THEN
        INSERT INTO tracker_count_changes (client_id, production_run_id, status, change)
        VALUES (NEW.client_id, coalesce(NEW.production_run_id, 0), NEW.status, 1);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tracker_counts_change() IS 'Trigger: counts trackers that change their status, run or being archived, or go';
CREATE TRIGGER count_update AFTER UPDATE OF status, production_run_id, archived_at ON trackers FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.production_run_id IS DISTINCT FROM NEW.production_run_id
          OR (OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL))
    EXECUTE FUNCTION tracker_counts_change();
CREATE TRIGGER count_delete AFTER DELETE ON trackers FOR EACH ROW EXECUTE FUNCTION tracker_counts_change();

CREATE FUNCTION fold_tracker_counts() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH moved AS (
        DELETE FROM tracker_count_changes RETURNING client_id, production_run_id, status, change
    ), sums AS (
        SELECT client_id, production_run_id, status, sum(change) AS change, count(*) AS n FROM moved GROUP BY 1, 2, 3
    ), folded AS (
        INSERT INTO tracker_counts (client_id, production_run_id, status, trackers)
        SELECT client_id, production_run_id, status, change FROM sums
        WHERE change <> 0 AND EXISTS (SELECT FROM clients c WHERE c.id = client_id)
        ORDER BY 1, 2, 3
        ON CONFLICT (client_id, production_run_id, status) DO UPDATE SET trackers = tracker_counts.trackers + excluded.trackers
    )
    SELECT coalesce(sum(n), 0)::bigint FROM sums
$$;
COMMENT ON FUNCTION fold_tracker_counts() IS 'For the scheduler, every minute: folds the changes into the sums; answers how many there were';
GRANT EXECUTE ON FUNCTION fold_tracker_counts() TO tracker_worker;

RESET ROLE;
