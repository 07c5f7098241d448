-- What the judge derives (events, status history, exceptions), manual overrides, and who must be judged again.
SET LOCAL ROLE tracker_owner;

-- ------------------------------------------------------------------ derived

CREATE TABLE geofence_events (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint NOT NULL,
    tracker_id        bigint NOT NULL,
    production_run_id bigint,
    location_id       bigint NOT NULL,
    kind              text NOT NULL CONSTRAINT geofence_events_kind_known CHECK (kind IN ('entry', 'exit', 'dwell')),
    occurred_at       timestamptz NOT NULL,
    latitude          double precision NOT NULL CONSTRAINT geofence_events_latitude_range CHECK (latitude BETWEEN -90 AND 90),
    longitude         double precision NOT NULL CONSTRAINT geofence_events_longitude_range CHECK (longitude BETWEEN -180 AND 180),
    accuracy_m        real NOT NULL,
    distance_m        double precision,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT geofence_events_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT geofence_events_run_fkey FOREIGN KEY (client_id, production_run_id) REFERENCES production_runs (client_id, id),
    CONSTRAINT geofence_events_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id)
);
COMMENT ON TABLE geofence_events IS 'Entries into, exits from and stays in places. Derived: a replay replaces the rows of a tracker from a time on';
COMMENT ON COLUMN geofence_events.occurred_at IS 'Time of the report that shows it';
COMMENT ON COLUMN geofence_events.distance_m IS 'From the report to the edge of the place, negative inside';
-- Serves: the events of a tracker in the order of time; replacing them from a time on.
CREATE INDEX geofence_events_by_tracker ON geofence_events (tracker_id, occurred_at, id);
-- Serves: the newest events of a client (dashboard, live list), keyset pages.
CREATE INDEX geofence_events_by_client ON geofence_events (client_id, occurred_at, id);
-- Serves: the events of a place; deleting a place.
CREATE INDEX geofence_events_by_location ON geofence_events (location_id, occurred_at, id);
-- Serves: the events of a run; deleting a run.
CREATE INDEX geofence_events_by_run ON geofence_events (production_run_id, occurred_at, id) WHERE production_run_id IS NOT NULL;
-- Serves: the newest events of all, for an admin.
CREATE INDEX geofence_events_all ON geofence_events (occurred_at, id);

CREATE TABLE status_history (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id            bigint NOT NULL,
    tracker_id           bigint NOT NULL,
    production_run_id    bigint,
    status               tracker_status NOT NULL,
    location_id          bigint,
    since                timestamptz NOT NULL,
    previous_status      tracker_status NOT NULL,
    previous_location_id bigint,
    rule                 text NOT NULL CONSTRAINT status_history_rule_form CHECK (rule ~ '^[a-z][a-z0-9_]{0,49}$'),
    reported_at          timestamptz,
    latitude             double precision CONSTRAINT status_history_latitude_range CHECK (latitude BETWEEN -90 AND 90),
    longitude            double precision CONSTRAINT status_history_longitude_range CHECK (longitude BETWEEN -180 AND 180),
    accuracy_m           real,
    distance_m           double precision,
    override_id          bigint,
    created_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT status_history_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT status_history_run_fkey FOREIGN KEY (client_id, production_run_id) REFERENCES production_runs (client_id, id),
    CONSTRAINT status_history_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id),
    CONSTRAINT status_history_previous_fkey FOREIGN KEY (client_id, previous_location_id) REFERENCES locations (client_id, id),
    CONSTRAINT status_history_reason_whole CHECK ((override_id IS NOT NULL) OR (reported_at IS NOT NULL AND latitude IS NOT NULL
        AND longitude IS NOT NULL AND accuracy_m IS NOT NULL))
);
COMMENT ON TABLE status_history IS 'Each change of status or place, and why. Derived: a replay replaces the rows of a tracker from a time on';
COMMENT ON COLUMN status_history.rule IS 'Name of the rule that decided, such as entered_delivery, left_storage, first_report, override';
COMMENT ON COLUMN status_history.reported_at IS 'The report that decided, with its position, accuracy and distance to the edge (negative inside); NULL for an override';
-- Serves: the status history of a tracker; replacing it from a time on; status at a time.
CREATE INDEX status_history_by_tracker ON status_history (tracker_id, since, id);
-- Serve: status changes of a client or a run over time (dashboard, statistics); deleting a run.
CREATE INDEX status_history_by_client ON status_history (client_id, since, id);
CREATE INDEX status_history_by_run ON status_history (production_run_id, since, id) WHERE production_run_id IS NOT NULL;
-- Serve: deleting a place.
CREATE INDEX status_history_by_location ON status_history (location_id) WHERE location_id IS NOT NULL;
CREATE INDEX status_history_by_previous ON status_history (previous_location_id) WHERE previous_location_id IS NOT NULL;

CREATE VIEW status_periods WITH (security_invoker = true) AS
SELECT h.*, lead(h.since) OVER (PARTITION BY h.tracker_id ORDER BY h.since, h.id) AS until
FROM status_history h;
COMMENT ON VIEW status_periods IS 'Status history with the end of each period, NULL for the one that lasts. Name tracker_id: the window is taken per tracker';

CREATE TABLE status_overrides (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id    bigint NOT NULL,
    tracker_id   bigint NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    status       tracker_status NOT NULL,
    location_id  bigint,
    reason       text NOT NULL CONSTRAINT status_overrides_reason_length CHECK (length(reason) BETWEEN 1 AND 1000),
    user_id      bigint DEFAULT app_user() REFERENCES users ON DELETE SET NULL,
    withdrawn_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT status_overrides_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT status_overrides_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id),
    CONSTRAINT status_overrides_client_id_key UNIQUE (client_id, id)
);
COMMENT ON TABLE status_overrides IS 'Statuses set by hand, each until the next change of place. A source, not derived: replays obey it';
-- Serves: the overrides that a judge of the tracker must obey.
CREATE INDEX status_overrides_by_tracker ON status_overrides (tracker_id, at);
-- Serve: deleting a place or a user.
CREATE INDEX status_overrides_by_location ON status_overrides (location_id) WHERE location_id IS NOT NULL;
CREATE INDEX status_overrides_by_user ON status_overrides (user_id) WHERE user_id IS NOT NULL;
ALTER TABLE status_history ADD CONSTRAINT status_history_override_fkey
    FOREIGN KEY (client_id, override_id) REFERENCES status_overrides (client_id, id);
-- Serves: deleting a tracker with its overrides.
CREATE INDEX status_history_by_override ON status_history (override_id) WHERE override_id IS NOT NULL;

CREATE TABLE tracker_exceptions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   bigint NOT NULL,
    tracker_id  bigint NOT NULL,
    kind        text NOT NULL CONSTRAINT tracker_exceptions_kind_known CHECK (kind IN ('wrong_place', 'left_early', 'silent', 'stuck')),
    location_id bigint,
    since       timestamptz NOT NULL,
    ended_at    timestamptz,
    detail      jsonb NOT NULL DEFAULT '{}' CONSTRAINT tracker_exceptions_detail_size CHECK (pg_column_size(detail) <= 4096),
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tracker_exceptions_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT tracker_exceptions_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id),
    CONSTRAINT tracker_exceptions_period CHECK (ended_at >= since)
);
COMMENT ON TABLE tracker_exceptions IS 'What needs a look: in the place of another run, left storage before release, silent, stuck. Derived';
-- Serves: at most one exception of a kind at a time; the exceptions of a tracker.
CREATE UNIQUE INDEX tracker_exceptions_open ON tracker_exceptions (tracker_id, kind) WHERE ended_at IS NULL;
CREATE INDEX tracker_exceptions_by_tracker ON tracker_exceptions (tracker_id, since);
-- Serves: the exceptions list of a client.
CREATE INDEX tracker_exceptions_by_client ON tracker_exceptions (client_id, since, id) WHERE ended_at IS NULL;
-- Serves: deleting a place.
CREATE INDEX tracker_exceptions_by_location ON tracker_exceptions (location_id) WHERE location_id IS NOT NULL;

CALL protect('geofence_events', row_rule('tenant'), NULL, 'SELECT');
CALL protect('status_history', row_rule('tenant'), NULL, 'SELECT');
CALL protect('tracker_exceptions', row_rule('tenant'), NULL, 'SELECT');
CALL protect('status_overrides', row_rule('tenant'), row_rule('manager'), 'SELECT, INSERT, UPDATE');
GRANT SELECT ON status_periods TO tracker_api, tracker_worker;

-- ------------------------------------------------------------------ judge again

-- An edit touches few rows here and perhaps 100,000 trackers. The edit writes one request in its own
-- transaction; a worker turns it into inbox rows.
CREATE TABLE replay_requests (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint,
    tracker_id        bigint,
    production_run_id bigint,
    location_id       bigint,
    from_time         timestamptz,
    reason            text NOT NULL CONSTRAINT replay_requests_reason_known
                      CHECK (reason IN ('shape', 'run', 'place', 'override', 'area', 'request')),
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT replay_requests_names_one CHECK (num_nonnulls(tracker_id, production_run_id, location_id) = 1)
);
COMMENT ON TABLE replay_requests IS 'Edits whose trackers must be judged again: a tracker, all trackers of a run, or all of the runs that use a place. Written by triggers, taken by expand_replays(). No foreign keys: what it names may be gone by then';
COMMENT ON COLUMN replay_requests.from_time IS 'First moment that the edit touches; NULL for the beginning';
CALL protect('replay_requests', row_rule('admin'), row_rule('manager'), 'INSERT');

CREATE FUNCTION request_replay() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    now_row jsonb := to_jsonb(coalesce(NEW, OLD));
    from_time timestamptz;
BEGIN
    -- The earlier start of the old and the new period; one without a start reaches back to the beginning.
    IF TG_ARGV[0] = 'override' THEN
        from_time := least((to_jsonb(OLD) ->> 'at')::timestamptz, (to_jsonb(NEW) ->> 'at')::timestamptz);
    ELSIF TG_ARGV[0] IN ('shape', 'run') THEN
        IF NOT (TG_OP <> 'INSERT' AND lower_inf((to_jsonb(OLD) ->> 'period')::tstzrange))
           AND NOT (TG_OP <> 'DELETE' AND lower_inf((to_jsonb(NEW) ->> 'period')::tstzrange)) THEN
            from_time := least(lower((to_jsonb(OLD) ->> 'period')::tstzrange), lower((to_jsonb(NEW) ->> 'period')::tstzrange));
        END IF;
        -- A period that only ends elsewhere changes nothing before the earlier of both ends.
        IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'period' = to_jsonb(NEW) - 'period'
           AND lower((to_jsonb(OLD) ->> 'period')::tstzrange) IS NOT DISTINCT FROM lower((to_jsonb(NEW) ->> 'period')::tstzrange) THEN
            from_time := least(upper((to_jsonb(OLD) ->> 'period')::tstzrange), upper((to_jsonb(NEW) ->> 'period')::tstzrange));
        END IF;
    END IF;
    INSERT INTO replay_requests (client_id, tracker_id, production_run_id, location_id, from_time, reason)
    VALUES ((now_row ->> 'client_id')::bigint,
            CASE WHEN TG_ARGV[1] = 'tracker' THEN (now_row ->> 'tracker_id')::bigint END,
            CASE WHEN TG_ARGV[1] = 'run' THEN coalesce(now_row ->> 'production_run_id', now_row ->> 'id')::bigint END,
            CASE WHEN TG_ARGV[1] = 'location' THEN coalesce(now_row ->> 'location_id', now_row ->> 'id')::bigint END,
            from_time, TG_ARGV[0]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION request_replay() IS 'Trigger (reason, subject): asks for the trackers that an edit concerns to be judged again';

CREATE TRIGGER replay AFTER INSERT OR UPDATE OR DELETE ON location_shapes
    FOR EACH ROW EXECUTE FUNCTION request_replay('shape', 'location');
CREATE TRIGGER replay AFTER INSERT OR DELETE ON production_run_locations
    FOR EACH ROW EXECUTE FUNCTION request_replay('place', 'run');
CREATE TRIGGER replay AFTER UPDATE OF kind, archived_at ON locations
    FOR EACH ROW WHEN (OLD.kind <> NEW.kind OR (OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL))
    EXECUTE FUNCTION request_replay('place', 'location');
CREATE TRIGGER replay AFTER UPDATE OF confirm_reports ON production_runs
    FOR EACH ROW WHEN (OLD.confirm_reports IS DISTINCT FROM NEW.confirm_reports)
    EXECUTE FUNCTION request_replay('place', 'run');
-- Not on insert by a new tracker, which has nothing to be judged again; that comes at trigger depth 1.
CREATE TRIGGER replay_insert AFTER INSERT ON tracker_runs
    FOR EACH ROW WHEN (NOT (lower_inf(NEW.period) AND upper_inf(NEW.period)) OR pg_trigger_depth() = 0)
    EXECUTE FUNCTION request_replay('run', 'tracker');
CREATE TRIGGER replay AFTER UPDATE OR DELETE ON tracker_runs
    FOR EACH ROW EXECUTE FUNCTION request_replay('run', 'tracker');
CREATE TRIGGER replay AFTER INSERT OR UPDATE OF at, status, location_id, withdrawn_at ON status_overrides
    FOR EACH ROW EXECUTE FUNCTION request_replay('override', 'tracker');

CREATE FUNCTION expand_replays(max_requests integer DEFAULT 100) RETURNS bigint
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
COMMENT ON FUNCTION expand_replays(integer) IS 'For the judge worker: turns requests into inbox rows, in one transaction; answers how many';
GRANT EXECUTE ON FUNCTION expand_replays(integer) TO tracker_worker;

RESET ROLE;
