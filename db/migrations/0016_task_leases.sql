-- Who executes a task and until when, and the one way to hand a task over.
SET LOCAL ROLE tracker_owner;

ALTER TABLE tasks
    ADD COLUMN worker       text CONSTRAINT tasks_worker_length CHECK (length(worker) <= 200),
    ADD COLUMN lease_until  timestamptz,
    ADD COLUMN max_attempts smallint CONSTRAINT tasks_max_attempts_range CHECK (max_attempts BETWEEN 1 AND 1000),
    ADD COLUMN sent_at      timestamptz,
    ADD COLUMN stream_entry text CONSTRAINT tasks_stream_entry_length CHECK (length(stream_entry) <= 200),
    ADD CONSTRAINT tasks_running_leased CHECK ((state = 'running') = (lease_until IS NOT NULL));
COMMENT ON COLUMN tasks.worker IS 'Process that executes it, or that did last';
COMMENT ON COLUMN tasks.lease_until IS 'The worker renews it; past it the task is taken for orphaned';
COMMENT ON COLUMN tasks.max_attempts IS 'Executions in all; null: as the task''s type says, once a worker took it';
COMMENT ON COLUMN tasks.sent_at IS 'When its message went to Redis; null: it has none yet, or needs none';
COMMENT ON COLUMN tasks.stream_entry IS 'The message: stream and entry id, separated by a space';
CALL versioned('tasks', '{lease_until,sent_at,stream_entry}');
-- Serves: orphans.
CREATE INDEX tasks_leases ON tasks (lease_until) WHERE state = 'running';

CREATE FUNCTION enqueue_task(new_id text, task_name text, task_queue text, task_args jsonb, task_kwargs jsonb, task_labels jsonb,
                             task_client bigint, key text, at timestamptz, attempts_allowed smallint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found_id text;
BEGIN
    IF app_role() <> '' AND task_client IS NOT NULL AND NOT app_is_admin() AND NOT coalesce(task_client = ANY (app_readable()), false) THEN
        RAISE EXCEPTION 'the task concerns another tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    LOOP
        INSERT INTO tasks (id, name, queue, args, kwargs, labels, client_id, dedupe_key, run_at, state, max_attempts)
        VALUES (new_id, task_name, task_queue, task_args, task_kwargs, task_labels, task_client, key, coalesce(at, now()),
                CASE WHEN at > now() THEN 'scheduled' ELSE 'waiting' END, attempts_allowed)
        ON CONFLICT DO NOTHING RETURNING id INTO found_id;
        IF found_id IS NOT NULL THEN
            RETURN found_id;
        END IF;
        -- The same id again: the statement was repeated on a new connection.
        SELECT id INTO found_id FROM tasks WHERE id = new_id OR (dedupe_key = key AND finished_at IS NULL) LIMIT 1;
        IF found_id IS NOT NULL THEN
            RETURN found_id;
        END IF; -- it finished in between: once more
    END LOOP;
END
$$;
COMMENT ON FUNCTION enqueue_task(text, text, text, jsonb, jsonb, jsonb, bigint, text, timestamptz, smallint) IS
    'Adds a task of the session''s user and returns its id, or that of the unfinished one with the same key, whoever started it';
REVOKE ALL ON FUNCTION enqueue_task(text, text, text, jsonb, jsonb, jsonb, bigint, text, timestamptz, smallint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enqueue_task(text, text, text, jsonb, jsonb, jsonb, bigint, text, timestamptz, smallint) TO tracker_api, tracker_worker;

-- Both change what tenants see, so both say it to the caches.
CREATE OR REPLACE FUNCTION turn_runs(since timestamptz DEFAULT now() - interval '1 day') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    clients bigint[];
BEGIN
    WITH touched AS (
        SELECT tracker_id FROM tracker_runs WHERE NOT lower_inf(period) AND lower(period) BETWEEN since AND now()
        UNION
        SELECT tracker_id FROM tracker_runs WHERE NOT upper_inf(period) AND upper(period) BETWEEN since AND now()
    ), turned AS (
        UPDATE trackers t SET production_run_id = r.production_run_id
        FROM touched LEFT JOIN tracker_runs r ON r.tracker_id = touched.tracker_id AND r.period @> now()
        WHERE t.id = touched.tracker_id AND t.production_run_id IS DISTINCT FROM r.production_run_id
        RETURNING t.client_id
    )
    SELECT coalesce(array_agg(client_id), '{}') INTO clients FROM turned;
    PERFORM bump_generations(clients);
    RETURN cardinality(clients);
END
$$;

CREATE OR REPLACE FUNCTION arm_fetches() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    clients bigint[];
BEGIN
    WITH turned AS (
        UPDATE production_runs r SET fetching = NOT fetching
        WHERE fetching <> (archived_at IS NULL AND starts_at <= now() AND (ends_at IS NULL OR ends_at >= now()))
        RETURNING id, fetching
    ), armed AS (
        UPDATE trackers t SET next_fetch_at = CASE WHEN turned.fetching THEN coalesce(t.next_fetch_at, now()) END
        FROM turned WHERE t.production_run_id = turned.id AND t.archived_at IS NULL
            AND turned.fetching <> (t.next_fetch_at IS NOT NULL)
        RETURNING t.client_id
    )
    SELECT coalesce(array_agg(client_id), '{}') INTO clients FROM armed;
    PERFORM bump_generations(clients);
    RETURN cardinality(clients);
END
$$;

RESET ROLE;
