-- Tasks as far as the database is their truth (schedules, progress, failures), and generations for caches.
SET LOCAL ROLE tracker_owner;

CREATE TABLE tasks (
    id          text PRIMARY KEY CONSTRAINT tasks_id_length CHECK (length(id) BETWEEN 1 AND 64),
    name        text NOT NULL CONSTRAINT tasks_name_length CHECK (length(name) BETWEEN 1 AND 200),
    queue       text NOT NULL CONSTRAINT tasks_queue_length CHECK (length(queue) BETWEEN 1 AND 100),
    args        jsonb NOT NULL DEFAULT '[]' CONSTRAINT tasks_args_form CHECK (jsonb_typeof(args) = 'array'),
    kwargs      jsonb NOT NULL DEFAULT '{}' CONSTRAINT tasks_kwargs_form CHECK (jsonb_typeof(kwargs) = 'object'),
    labels      jsonb NOT NULL DEFAULT '{}' CONSTRAINT tasks_labels_form CHECK (jsonb_typeof(labels) = 'object'),
    state       text NOT NULL DEFAULT 'waiting' CONSTRAINT tasks_state_known
                CHECK (state IN ('scheduled', 'waiting', 'running', 'succeeded', 'failed', 'dead', 'cancelled')),
    user_id     bigint DEFAULT app_user() REFERENCES users ON DELETE SET NULL,
    client_id   bigint REFERENCES clients ON DELETE CASCADE,
    attempts    smallint NOT NULL DEFAULT 0 CONSTRAINT tasks_attempts_positive CHECK (attempts >= 0),
    progress    jsonb CONSTRAINT tasks_progress_size CHECK (pg_column_size(progress) <= 16384),
    result      jsonb CONSTRAINT tasks_result_size CHECK (pg_column_size(result) <= 1048576),
    error       jsonb CONSTRAINT tasks_error_size CHECK (pg_column_size(error) <= 65536),
    dedupe_key  text CONSTRAINT tasks_dedupe_length CHECK (length(dedupe_key) <= 200),
    cancel_requested_at timestamptz,
    run_at      timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    version     bigint NOT NULL DEFAULT 1,
    CONSTRAINT tasks_finished_states CHECK ((finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'dead', 'cancelled')))
);
COMMENT ON TABLE tasks IS 'Tasks that somebody asked for or that failed for good. Work that is due by a query (fetch, judge, geocode) needs no row here';
COMMENT ON COLUMN tasks.id IS 'TaskiQ task id';
COMMENT ON COLUMN tasks.progress IS '{"done": n, "total": n, "message": text}, for long tasks';
COMMENT ON COLUMN tasks.dedupe_key IS 'At most one unfinished task has it';
-- Serves: handing over again what was due while Redis was away; one-off schedules.
CREATE INDEX tasks_due ON tasks (run_at, id) WHERE state IN ('scheduled', 'waiting');
CREATE UNIQUE INDEX tasks_dedupe ON tasks (dedupe_key) WHERE finished_at IS NULL;
-- Serve: the admin's lists by state and by queue, newest first; the tasks of a user; deleting a client.
CREATE INDEX tasks_by_state ON tasks (state, created_at, id);
CREATE INDEX tasks_by_queue ON tasks (queue, created_at, id);
CREATE INDEX tasks_by_user ON tasks (user_id, created_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX tasks_by_client ON tasks (client_id) WHERE client_id IS NOT NULL;
-- Serves: the clean-up of old tasks.
CREATE INDEX tasks_by_finish ON tasks (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE task_schedules (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CONSTRAINT task_schedules_name_length CHECK (length(name) BETWEEN 1 AND 200),
    task_name   text NOT NULL CONSTRAINT task_schedules_task_length CHECK (length(task_name) BETWEEN 1 AND 200),
    queue       text NOT NULL CONSTRAINT task_schedules_queue_length CHECK (length(queue) BETWEEN 1 AND 100),
    cron        text CONSTRAINT task_schedules_cron_length CHECK (length(cron) BETWEEN 9 AND 200),
    every       interval CONSTRAINT task_schedules_every_range CHECK (every BETWEEN interval '1 second' AND interval '366 days'),
    time_zone   text NOT NULL DEFAULT 'UTC' CONSTRAINT task_schedules_time_zone_length CHECK (length(time_zone) BETWEEN 1 AND 64),
    args        jsonb NOT NULL DEFAULT '[]' CONSTRAINT task_schedules_args_form CHECK (jsonb_typeof(args) = 'array'),
    kwargs      jsonb NOT NULL DEFAULT '{}' CONSTRAINT task_schedules_kwargs_form CHECK (jsonb_typeof(kwargs) = 'object'),
    enabled     boolean NOT NULL DEFAULT true,
    last_run_at timestamptz,
    next_run_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    version     bigint NOT NULL DEFAULT 1,
    CONSTRAINT task_schedules_name_key UNIQUE (name),
    CONSTRAINT task_schedules_one_rhythm CHECK (num_nonnulls(cron, every) = 1)
);
COMMENT ON TABLE task_schedules IS 'Repeated tasks. next_run_at moves in the transaction that hands the task over, so that two leaders hand it over once';
-- Serves: what is to be handed over now.
CREATE INDEX task_schedules_due ON task_schedules (next_run_at) WHERE enabled;

CREATE TABLE cache_generations (
    client_id  bigint PRIMARY KEY,
    generation bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE cache_generations IS 'Counts the writes to each tenant''s rows; 0 stands for rows of no tenant. Cache keys contain it, so a bump empties a tenant''s cache';

CREATE FUNCTION bump_generations(clients bigint[]) RETURNS SETOF cache_generations
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    -- In order, so that two writers do not deadlock.
    INSERT INTO cache_generations AS g (client_id)
    SELECT DISTINCT c FROM unnest(clients) c WHERE c IS NOT NULL ORDER BY 1
    ON CONFLICT (client_id) DO UPDATE SET generation = g.generation + 1
    RETURNING g.client_id, g.generation
$$;
COMMENT ON FUNCTION bump_generations(bigint[]) IS 'To be the last statement of a writing transaction: its row locks last until the commit';
GRANT EXECUTE ON FUNCTION bump_generations(bigint[]) TO tracker_api, tracker_worker;

CALL versioned('tasks');
CALL versioned('task_schedules');
-- Managers start tasks (imports) and everybody follows his own.
CALL protect('tasks', row_rule('admin') || ' OR ' || row_rule('own'),
             row_rule('admin') || ' OR ((SELECT app_role()) = ''manager'' AND user_id = (SELECT app_user()))', 'SELECT, INSERT, UPDATE');
CALL protect('task_schedules', row_rule('admin'), row_rule('admin'), 'SELECT, INSERT, UPDATE, DELETE');
CALL protect('cache_generations', $$(SELECT app_role()) IN ('admin', 'auth') OR client_id = 0
    OR client_id = ANY ((SELECT app_readable())::bigint[])$$, row_rule('admin'), 'SELECT');

RESET ROLE;
