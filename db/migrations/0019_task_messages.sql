-- The message of a task, noted for whoever enqueued it.
SET LOCAL ROLE tracker_owner;

CREATE FUNCTION task_sent(task_id text, entry text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    -- Not over the entry of a worker that was faster.
    UPDATE tasks SET sent_at = coalesce(sent_at, now()), stream_entry = entry WHERE id = task_id AND stream_entry IS NULL
$$;
COMMENT ON FUNCTION task_sent(text, text) IS 'Notes that the message of a task is in Redis';
REVOKE ALL ON FUNCTION task_sent(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION task_sent(text, text) TO tracker_api, tracker_worker;

RESET ROLE;
