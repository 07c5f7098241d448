-- Sending a task's message is claimed first: a row that a worker took by itself must not get a message afterwards, which a
-- Python worker of the same group would execute once more.
SET LOCAL ROLE tracker_owner;

CREATE FUNCTION task_begin_sending(task_id text) RETURNS TABLE (queue text, name text, args jsonb, kwargs jsonb, labels jsonb)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE tasks t SET sent_at = now() WHERE t.id = task_id AND t.state = 'waiting' AND t.sent_at IS NULL
    RETURNING t.queue, t.name, t.args, t.kwargs, t.labels
$$;
COMMENT ON FUNCTION task_begin_sending(text) IS 'What the message of a task says, for the one who sends it; no row when it is taken or sent already';
REVOKE ALL ON FUNCTION task_begin_sending(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION task_begin_sending(text) TO tracker_api, tracker_worker;

CREATE OR REPLACE FUNCTION task_sent(task_id text, entry text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    -- Not over the entry of a worker that was faster.
    UPDATE tasks SET sent_at = CASE WHEN entry IS NOT NULL THEN sent_at END, stream_entry = entry
    WHERE id = task_id AND stream_entry IS NULL
$$;
COMMENT ON FUNCTION task_sent(text, text) IS 'Notes where the message of a task is, or with null that it could not be sent';

RESET ROLE;
