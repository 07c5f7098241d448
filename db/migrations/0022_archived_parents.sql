-- Nothing new below what is archived: a client, a brand, a run.
SET LOCAL ROLE tracker_owner;

CREATE FUNCTION refuse_archived() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    archived boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM (SELECT DISTINCT %1$I AS id FROM added) a JOIN %2$I p USING (id) WHERE p.archived_at IS NOT NULL)',
                   TG_ARGV[1], TG_ARGV[0]) INTO archived;
    IF archived THEN
        RAISE EXCEPTION 'a new row of % names an archived row of %', TG_TABLE_NAME, TG_ARGV[0]
            USING ERRCODE = 'check_violation', CONSTRAINT = 'archived_' || TG_ARGV[1];
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_archived() IS 'Trigger (table, column): refuses new rows whose column names an archived row of the table';

CREATE TRIGGER refuse_archived_client AFTER INSERT ON brands REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('clients', 'client_id');
CREATE TRIGGER refuse_archived_client AFTER INSERT ON production_runs REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('clients', 'client_id');
CREATE TRIGGER refuse_archived_brand AFTER INSERT ON production_runs REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('brands', 'brand_id');
CREATE TRIGGER refuse_archived_client AFTER INSERT ON locations REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('clients', 'client_id');
CREATE TRIGGER refuse_archived_client AFTER INSERT ON trackers REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('clients', 'client_id');
CREATE TRIGGER refuse_archived_run AFTER INSERT ON trackers REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('production_runs', 'production_run_id');
CREATE TRIGGER refuse_archived_client AFTER INSERT ON exclusion_areas REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('clients', 'client_id');
CREATE TRIGGER refuse_archived_client AFTER INSERT ON share_links REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('clients', 'client_id');
CREATE TRIGGER refuse_archived_client AFTER INSERT ON images REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived('clients', 'client_id');

RESET ROLE;
