-- Schedules: when they come next, and what is known of those in Redis.
SET LOCAL ROLE tracker_owner;

CREATE FUNCTION task_schedules_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM now() AT TIME ZONE NEW.time_zone;
    EXCEPTION WHEN invalid_parameter_value THEN
        RAISE EXCEPTION 'there is no time zone %', NEW.time_zone
            USING ERRCODE = 'check_violation', CONSTRAINT = 'task_schedules_time_zone';
    END;
    IF TG_OP = 'UPDATE' AND ((OLD.cron, OLD.every, OLD.time_zone) IS DISTINCT FROM (NEW.cron, NEW.every, NEW.time_zone)
                             OR (NEW.enabled AND NOT OLD.enabled)) THEN
        NEW.next_run_at := NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION task_schedules_begin() IS 'Trigger: a schedule with another rhythm starts from now; the scheduler finds its next time';
CREATE TRIGGER begin BEFORE INSERT OR UPDATE ON task_schedules FOR EACH ROW EXECUTE FUNCTION task_schedules_begin();
CREATE TABLE task_schedule_marks (
    schedule_id text PRIMARY KEY CONSTRAINT task_schedule_marks_id_length CHECK (length(schedule_id) <= 200),
    last_run_at timestamptz NOT NULL
);
COMMENT ON TABLE task_schedule_marks IS 'When schedules that TaskiQ keeps in Redis were handed over last, so that each is once, whoever leads';
CALL protect('task_schedule_marks', row_rule('admin'), NULL, 'SELECT');

-- Serves: the list of all tasks, newest first.
CREATE INDEX tasks_by_time ON tasks (created_at, id);

RESET ROLE;
