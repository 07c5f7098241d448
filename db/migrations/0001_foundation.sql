-- Extensions, database roles, the session context that row security reads, and helpers used by later migrations.
--
-- PostGIS is not a trusted extension: either a superuser runs this file or one has created the extension
-- before (then IF NOT EXISTS needs no right at all). pg_trgm and btree_gist are trusted: the database's
-- owner may create them.
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- tracker_owner   owns tables and functions; nothing runs as it but migrations and SECURITY DEFINER functions
-- tracker_api     the API: no table without row security, or none of its rights
-- tracker_worker  workers, scheduler, command line: all tenants
-- tracker_reader  nobody logs in as it. It owns the views by which the API reads tables that cannot have row security
--                 (time series, search): such a view reads those with its owner's rights, joined with a table
--                 whose policies hold for that owner as they do for the API
-- Roles belong to the cluster, not to the database, so they may be there already: from another database
-- of ours, or made by an administrator because the migrating login lacks CREATEROLE.
DO $$
DECLARE
    wanted text;
    -- Since PostgreSQL 16 a membership no longer implies the right to SET ROLE.
    needed text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tracker_owner', 'tracker_api', 'tracker_worker', 'tracker_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this cluster is being migrated at the same moment
            END;
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = wanted AND (rolsuper OR rolbypassrls)) THEN
            RAISE EXCEPTION 'role % can bypass row security; take SUPERUSER and BYPASSRLS from it', wanted;
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'tracker_owner', needed) THEN
        EXECUTE format('GRANT tracker_owner TO %I', current_user);
    END IF;
    IF NOT pg_has_role('tracker_owner', 'tracker_reader', needed) THEN
        GRANT tracker_reader TO tracker_owner;
    END IF;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE, USAGE ON SCHEMA public TO tracker_owner, tracker_reader;
GRANT USAGE ON SCHEMA public TO tracker_api, tracker_worker;

SET LOCAL ROLE tracker_owner;

-- Rights are given by name. In particular a SECURITY DEFINER function must not be callable by everybody.
ALTER DEFAULT PRIVILEGES FOR ROLE tracker_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- ------------------------------------------------------------------ session context

-- The three settings below are set for each transaction, by
--   SELECT set_config('tracker.role',$1,true), set_config('tracker.clients',$2,true), set_config('tracker.user',$3,true)
-- Policies call these functions as (SELECT app_role()): a sub-select without references to the row is
-- evaluated once per query, not once per row. A missing or empty setting is nobody, who sees nothing.

CREATE FUNCTION app_role() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(current_setting('tracker.role', true), '');
COMMENT ON FUNCTION app_role() IS 'Who acts: admin, manager, user, auth (the API while it checks credentials) or empty (nobody)';

CREATE FUNCTION app_clients() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('tracker.clients', true), '')::bigint[], '{}');
COMMENT ON FUNCTION app_clients() IS 'Clients that the caller may see; ignored for admin';

CREATE FUNCTION app_user() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('tracker.user', true), '')::bigint;
COMMENT ON FUNCTION app_user() IS 'The acting user, NULL when there is none';

-- What most policies ask. A bare boolean counts as one half for the planner; a comparison of app_role() would
-- count as 1 in 200, and every list would be planned as if nearly nothing came of it.
CREATE FUNCTION app_is_admin() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN app_role() = 'admin';
COMMENT ON FUNCTION app_is_admin() IS 'The caller sees and edits the rows of all clients';

CREATE FUNCTION app_readable() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN app_role() IN ('manager', 'user') THEN app_clients() ELSE '{}' END;
COMMENT ON FUNCTION app_readable() IS 'Clients whose rows a manager or user may read';

CREATE FUNCTION app_editable() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN app_role() = 'manager' THEN app_clients() ELSE '{}' END;
COMMENT ON FUNCTION app_editable() IS 'Clients whose rows a manager may edit';

GRANT EXECUTE ON FUNCTION app_role(), app_clients(), app_user(), app_is_admin(), app_readable(), app_editable() TO PUBLIC;

-- ------------------------------------------------------------------ helpers for migrations

CREATE FUNCTION row_rule(name text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    rule text := CASE name
        WHEN 'admin' THEN $r$(SELECT app_is_admin())$r$
        WHEN 'auth' THEN $r$(SELECT app_role()) = 'auth'$r$
        -- Everybody whose list holds the row's client.
        WHEN 'tenant' THEN $r$(SELECT app_is_admin()) OR client_id = ANY ((SELECT app_readable())::bigint[])$r$
        -- The same for those who may edit.
        WHEN 'manager' THEN $r$(SELECT app_is_admin()) OR client_id = ANY ((SELECT app_editable())::bigint[])$r$
        -- The caller's own rows, and the API's while it finds out who the caller is.
        WHEN 'own' THEN $r$(SELECT app_role()) <> '' AND user_id = (SELECT app_user())$r$
        -- The caller's own rows about a client that he may still see.
        WHEN 'own_tenant' THEN $r$user_id = (SELECT app_user())
            AND ((SELECT app_is_admin()) OR client_id = ANY ((SELECT app_readable())::bigint[]))$r$
    END;
BEGIN
    IF rule IS NULL THEN
        RAISE EXCEPTION 'no row rule is named %', name;
    END IF;
    RETURN '(' || rule || ')';
END
$$;
COMMENT ON FUNCTION row_rule(text) IS 'The SQL text of a row-security rule, for protect()';

CREATE PROCEDURE protect(rel regclass, can_read text, can_write text DEFAULT NULL,
                         api_rights text DEFAULT 'SELECT, INSERT, UPDATE, DELETE')
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', rel);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', rel);
    -- The reader is named because views without security_invoker check policies as their owner.
    EXECUTE format('CREATE POLICY api_read ON %s FOR SELECT TO tracker_api, tracker_reader USING (%s)', rel, can_read);
    IF can_write IS NOT NULL THEN
        EXECUTE format('CREATE POLICY api_insert ON %s FOR INSERT TO tracker_api, tracker_reader WITH CHECK (%s)', rel, can_write);
        EXECUTE format('CREATE POLICY api_update ON %s FOR UPDATE TO tracker_api, tracker_reader USING (%s) WITH CHECK (%2$s)',
                       rel, can_write);
        EXECUTE format('CREATE POLICY api_delete ON %s FOR DELETE TO tracker_api, tracker_reader USING (%s)', rel, can_write);
    END IF;
    EXECUTE format('CREATE POLICY system_all ON %s TO tracker_worker, tracker_owner USING (true) WITH CHECK (true)', rel);
    IF api_rights <> '' THEN
        EXECUTE format('GRANT %s ON %s TO tracker_api', api_rights, rel);
    END IF;
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tracker_worker', rel);
END
$$;
COMMENT ON PROCEDURE protect(regclass, text, text, text) IS
    'Forces row security on a table, adds its policies (expressions as from row_rule) and gives the roles their rights';

CREATE FUNCTION touch_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION touch_row() IS 'Trigger: a changed row gets the next version (its ETag) and the time of the change';

CREATE FUNCTION keep_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the client of a row in % is fixed for ever', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_client_fixed';
END
$$;
COMMENT ON FUNCTION keep_client() IS 'Trigger: refuses to move a row to another client';

CREATE PROCEDURE versioned(rel regclass, uncounted text[] DEFAULT '{}')
LANGUAGE plpgsql AS $$
DECLARE
    counted text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO counted FROM pg_attribute
    WHERE attrelid = rel AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''
      AND attname <> ALL (uncounted || ARRAY['version', 'updated_at']);
    EXECUTE format('DROP TRIGGER IF EXISTS touch ON %s', rel);
    EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION touch_row()', counted, rel);
    EXECUTE format('DROP TRIGGER IF EXISTS keep_client ON %s', rel);
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel AND attname = 'client_id' AND NOT attisdropped) THEN
        EXECUTE format('CREATE TRIGGER keep_client BEFORE UPDATE OF client_id ON %s FOR EACH ROW '
                       'WHEN (OLD.client_id IS DISTINCT FROM NEW.client_id) EXECUTE FUNCTION keep_client()', rel);
    END IF;
END
$$;
COMMENT ON PROCEDURE versioned(regclass, text[]) IS
    'Gives a table its version and fixed-client triggers; call it again after adding a column. Updates of only the uncounted columns (leases, stamps of use) leave the version';

-- ------------------------------------------------------------------ facts about this database

CREATE TABLE schema_info (
    key   text PRIMARY KEY CONSTRAINT schema_info_key_length CHECK (length(key) BETWEEN 1 AND 100),
    value text NOT NULL CONSTRAINT schema_info_value_length CHECK (length(value) <= 1000)
);
COMMENT ON TABLE schema_info IS 'Facts about this database: timeseries_form (timescale or native), geocode_precision, report_horizon';
GRANT SELECT ON schema_info TO tracker_api, tracker_worker;
GRANT INSERT, UPDATE ON schema_info TO tracker_worker;

RESET ROLE;
