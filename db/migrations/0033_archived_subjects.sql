-- Nothing new below what is archived, continued: subscriptions of a client, and trackers that are moved to a run.
SET LOCAL ROLE tracker_owner;

CREATE TRIGGER refuse_archived_client AFTER INSERT ON subscriptions REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('clients', 'client_id');

CREATE FUNCTION refuse_archived_run() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM production_runs WHERE id = NEW.production_run_id AND archived_at IS NOT NULL) THEN
        RAISE EXCEPTION 'a tracker is moved to an archived production run'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'archived_production_run_id';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_archived_run() IS 'Trigger: a tracker is not moved to an archived run';
CREATE TRIGGER refuse_archived_run_later AFTER UPDATE OF production_run_id ON trackers FOR EACH ROW
    WHEN (NEW.production_run_id IS DISTINCT FROM OLD.production_run_id) EXECUTE FUNCTION refuse_archived_run();

RESET ROLE;
