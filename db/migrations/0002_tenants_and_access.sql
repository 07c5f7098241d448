-- Clients and brands; users, sessions, API keys; the audit log and idempotency keys.
SET LOCAL ROLE tracker_owner;

CREATE TYPE user_role AS ENUM ('admin', 'manager', 'user');

-- ------------------------------------------------------------------ clients, brands

CREATE TABLE clients (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CONSTRAINT clients_name_length CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CONSTRAINT clients_description_length CHECK (length(description) <= 4000),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    version     bigint NOT NULL DEFAULT 1,
    archived_at timestamptz
);
COMMENT ON TABLE clients IS 'Tenants: the customers of the operator. Every tenant row names one of them';
COMMENT ON COLUMN clients.version IS 'Counts the changes of the row; ETags are made of it. The same in every table that has it';
COMMENT ON COLUMN clients.archived_at IS 'Hidden since; NULL while in use. The same in every table that has it';
-- Serves: creating and renaming (two clients in use never share a name, whatever the case).
CREATE UNIQUE INDEX clients_name_key ON clients (lower(name)) WHERE archived_at IS NULL;
-- Serves: list clients sorted by name, keyset pages.
CREATE INDEX clients_by_name ON clients (name, id);

CREATE TABLE brands (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   bigint NOT NULL REFERENCES clients,
    name        text NOT NULL CONSTRAINT brands_name_length CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CONSTRAINT brands_description_length CHECK (length(description) <= 4000),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    version     bigint NOT NULL DEFAULT 1,
    archived_at timestamptz,
    -- Target of composite foreign keys; serves: list brands of a client, keyset pages by id.
    CONSTRAINT brands_client_id_key UNIQUE (client_id, id)
);
COMMENT ON TABLE brands IS 'What a client sells under one name; owner of production runs';
-- Serves: creating and renaming (unique within the client).
CREATE UNIQUE INDEX brands_name_key ON brands (client_id, lower(name)) WHERE archived_at IS NULL;
-- Serves: list brands of a client sorted by name.
CREATE INDEX brands_by_name ON brands (client_id, name, id);

-- ------------------------------------------------------------------ users

CREATE TABLE users (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email           text NOT NULL CONSTRAINT users_email_form CHECK (length(email) BETWEEN 3 AND 254 AND email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    name            text NOT NULL CONSTRAINT users_name_length CHECK (length(name) BETWEEN 1 AND 200),
    role            user_role NOT NULL DEFAULT 'user',
    password_hash   text CONSTRAINT users_password_hash_form CHECK (password_hash LIKE '$argon2id$%' AND length(password_hash) <= 512),
    language        text NOT NULL DEFAULT 'en' CONSTRAINT users_language_form CHECK (language ~ '^[a-z]{2}(-[A-Z]{2})?$'),
    time_zone       text NOT NULL DEFAULT 'UTC' CONSTRAINT users_time_zone_length CHECK (length(time_zone) BETWEEN 1 AND 64),
    preferences     jsonb NOT NULL DEFAULT '{}' CONSTRAINT users_preferences_size
                    CHECK (jsonb_typeof(preferences) = 'object' AND pg_column_size(preferences) <= 16384),
    last_login_at   timestamptz,
    password_changed_at timestamptz,
    created_by      bigint DEFAULT app_user() REFERENCES users ON DELETE SET NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    version         bigint NOT NULL DEFAULT 1,
    archived_at     timestamptz
);
COMMENT ON TABLE users IS 'People who sign in. Not tenant rows: user_clients says whose rows they may see';
COMMENT ON COLUMN users.password_hash IS 'Argon2id, PHC string; NULL until an invited user has chosen a password';
COMMENT ON COLUMN users.created_by IS 'Lets a manager see the user that he has just created, before it has clients';
COMMENT ON COLUMN users.archived_at IS 'May not sign in since';
-- Serves: sign-in by e-mail; creating users. Archived users keep their address, so that an old one cannot be taken over.
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
-- Serves: list users sorted by name.
CREATE INDEX users_by_name ON users (name, id);
-- Serves: the check behind created_by when a user is deleted.
CREATE INDEX users_by_creator ON users (created_by) WHERE created_by IS NOT NULL;

CREATE TABLE user_clients (
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    client_id  bigint NOT NULL REFERENCES clients,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Serves: the clients of a user at sign-in and at each check of rights.
    PRIMARY KEY (user_id, client_id)
);
COMMENT ON TABLE user_clients IS 'Which clients a manager or user may see. Meaningless for admins, who see all';
-- Serves: the users of a client; the policy of users.
CREATE INDEX user_clients_by_client ON user_clients (client_id, user_id);

-- Row security hides from a manager the clients that are not his, so this question has to be asked with
-- wider eyes. It answers only yes or no, about the caller's own list.
CREATE FUNCTION user_within_clients(candidate bigint, clients bigint[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM user_clients uc WHERE uc.user_id = candidate AND uc.client_id <> ALL (clients))
$$;
COMMENT ON FUNCTION user_within_clients(bigint, bigint[]) IS 'True when a user sees no client outside the list: only then may a manager edit the user';
GRANT EXECUTE ON FUNCTION user_within_clients(bigint, bigint[]) TO tracker_api;

-- ------------------------------------------------------------------ sessions and credentials

CREATE TABLE sessions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    revoke_reason text CONSTRAINT sessions_revoke_reason_known
                 CHECK (revoke_reason IN ('sign_out', 'sign_out_everywhere', 'token_reuse', 'password_change', 'admin')),
    user_agent   text NOT NULL DEFAULT '' CONSTRAINT sessions_user_agent_length CHECK (length(user_agent) <= 512),
    address      inet,
    CONSTRAINT sessions_expire_later CHECK (expires_at > created_at),
    CONSTRAINT sessions_revoked_for_a_reason CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
COMMENT ON TABLE sessions IS 'Sign-ins. The truth; Redis holds a copy that may vanish';
-- Serves: the sessions of a user; sign-out everywhere.
CREATE INDEX sessions_by_user ON sessions (user_id, id);
-- Serves: the clean-up of sessions long gone.
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE session_tokens (
    token_hash bytea PRIMARY KEY CONSTRAINT session_tokens_hash_size CHECK (octet_length(token_hash) = 32),
    session_id bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz
);
COMMENT ON TABLE session_tokens IS 'Refresh tokens, SHA-256 only. One that comes back after its use was stolen: its session ends';
COMMENT ON COLUMN session_tokens.used_at IS 'Exchanged for its successor at this time; NULL for the session''s current token';
-- Serves: at most one current token per session, and finding it.
CREATE UNIQUE INDEX session_tokens_current ON session_tokens (session_id) WHERE used_at IS NULL;
-- Serves: deleting a session or user with its tokens.
CREATE INDEX session_tokens_by_session ON session_tokens (session_id);
CREATE INDEX session_tokens_by_user ON session_tokens (user_id);

CREATE TABLE api_keys (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      bigint NOT NULL DEFAULT app_user() REFERENCES users ON DELETE CASCADE,
    name         text NOT NULL CONSTRAINT api_keys_name_length CHECK (length(name) BETWEEN 1 AND 200),
    prefix       text NOT NULL CONSTRAINT api_keys_prefix_length CHECK (length(prefix) BETWEEN 4 AND 24),
    key_hash     bytea NOT NULL CONSTRAINT api_keys_hash_size CHECK (octet_length(key_hash) = 32),
    role         user_role NOT NULL DEFAULT 'user',
    scopes       text[] NOT NULL DEFAULT '{}' CONSTRAINT api_keys_scopes_bound
                 CHECK (cardinality(scopes) <= 64 AND array_position(scopes, NULL) IS NULL AND length(array_to_string(scopes, '')) <= 4000),
    client_ids   bigint[] CONSTRAINT api_keys_clients_bound CHECK (cardinality(client_ids) BETWEEN 1 AND 1000 AND array_position(client_ids, NULL) IS NULL),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    version      bigint NOT NULL DEFAULT 1,
    archived_at  timestamptz,
    -- Serves: authentication by key.
    CONSTRAINT api_keys_hash_key UNIQUE (key_hash)
);
COMMENT ON TABLE api_keys IS 'Keys for integrators. A key acts for its user, with rights narrowed by role, scopes and clients';
COMMENT ON COLUMN api_keys.prefix IS 'First characters of the key, shown so that a person can tell keys apart';
COMMENT ON COLUMN api_keys.key_hash IS 'SHA-256 of the key, which has enough randomness to need nothing slower';
COMMENT ON COLUMN api_keys.role IS 'The most that the key may do; never more than the role of its user at the moment of use';
COMMENT ON COLUMN api_keys.client_ids IS 'Narrows the clients of the user; NULL for all of them. Not foreign keys: the intersection is taken at each use';
-- Serves: the keys of a user; unique names among those in use.
CREATE UNIQUE INDEX api_keys_name_key ON api_keys (user_id, lower(name)) WHERE archived_at IS NULL AND revoked_at IS NULL;
CREATE INDEX api_keys_by_user ON api_keys (user_id, id);

CREATE TABLE password_reset_tokens (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose    text NOT NULL DEFAULT 'reset' CONSTRAINT password_reset_tokens_purpose_known CHECK (purpose IN ('reset', 'invite')),
    token_hash bytea NOT NULL CONSTRAINT password_reset_tokens_hash_size CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    -- Serves: following the link of a mail.
    CONSTRAINT password_reset_tokens_hash_key UNIQUE (token_hash),
    CONSTRAINT password_reset_tokens_expire_later CHECK (expires_at > created_at)
);
COMMENT ON TABLE password_reset_tokens IS 'Links by which a user sets a password: after forgetting it, or after an invitation';
-- Serves: withdrawing a user's older links; deleting the user.
CREATE INDEX password_reset_tokens_by_user ON password_reset_tokens (user_id);

CREATE TABLE login_attempts (
    subject       text PRIMARY KEY CONSTRAINT login_attempts_subject_length CHECK (length(subject) BETWEEN 3 AND 320),
    failures      integer NOT NULL DEFAULT 0 CONSTRAINT login_attempts_failures_positive CHECK (failures >= 0),
    first_at      timestamptz NOT NULL DEFAULT now(),
    blocked_until timestamptz
);
COMMENT ON TABLE login_attempts IS 'Throttle of sign-in, per account and per address. In PostgreSQL, because an attacker must not be helped by a flushed cache';
COMMENT ON COLUMN login_attempts.subject IS 'account:ADDRESS or address:IP';
-- Serves: the clean-up of old windows.
CREATE INDEX login_attempts_by_age ON login_attempts (first_at);

-- ------------------------------------------------------------------ changes of rights

CREATE TABLE auth_changes (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    user_id bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE auth_changes IS 'Whose sessions or rights changed in the last hour. API processes look here several times a second and forget what they knew of those users, so that a revoked right ends at the next request';
COMMENT ON COLUMN auth_changes.xid IS 'Transaction of the change: ids do not commit in order, so readers go by the oldest transaction that still ran when they last looked';
-- Serves: what has changed since the last look.
CREATE INDEX auth_changes_by_xid ON auth_changes (xid);
-- Serves: the clean-up.
CREATE INDEX auth_changes_by_age ON auth_changes (at);

-- The argument names the column that holds the user. Written with the owner's eyes: no caller needs a right on the table.
CREATE FUNCTION auth_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO auth_changes (user_id)
    VALUES ((CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END ->> TG_ARGV[0])::bigint);
    DELETE FROM auth_changes WHERE id IN
        (SELECT id FROM auth_changes WHERE at < now() - interval '1 hour' ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION auth_changed() IS 'Trigger: tells API processes to look up a user''s sessions and rights anew';

CREATE TRIGGER auth_changed AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.role, OLD.email, OLD.name, OLD.archived_at) IS DISTINCT FROM (NEW.role, NEW.email, NEW.name, NEW.archived_at))
    EXECUTE FUNCTION auth_changed('id');
CREATE TRIGGER auth_changed_gone AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION auth_changed('id');
CREATE TRIGGER auth_changed AFTER INSERT OR UPDATE OR DELETE ON user_clients FOR EACH ROW EXECUTE FUNCTION auth_changed('user_id');
CREATE TRIGGER auth_changed AFTER UPDATE ON sessions FOR EACH ROW
    WHEN (OLD.revoked_at IS DISTINCT FROM NEW.revoked_at OR NEW.expires_at < OLD.expires_at) EXECUTE FUNCTION auth_changed('user_id');
CREATE TRIGGER auth_changed_gone AFTER DELETE ON sessions FOR EACH ROW
    WHEN (OLD.expires_at > now() AND OLD.revoked_at IS NULL) EXECUTE FUNCTION auth_changed('user_id');
CREATE TRIGGER auth_changed AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN ((OLD.role, OLD.scopes, OLD.client_ids, OLD.expires_at, OLD.revoked_at, OLD.archived_at)
          IS DISTINCT FROM (NEW.role, NEW.scopes, NEW.client_ids, NEW.expires_at, NEW.revoked_at, NEW.archived_at))
    EXECUTE FUNCTION auth_changed('user_id');
CREATE TRIGGER auth_changed_gone AFTER DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION auth_changed('user_id');

-- ------------------------------------------------------------------ audit, idempotency

CREATE TABLE audit_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    client_id   bigint,
    user_id     bigint DEFAULT app_user(),
    api_key_id  bigint,
    action      text NOT NULL CONSTRAINT audit_log_action_form CHECK (action ~ '^[a-z][a-z0-9_.-]{0,63}$'),
    resource    text NOT NULL CONSTRAINT audit_log_resource_form CHECK (resource ~ '^[a-z][a-z0-9_-]{0,63}$'),
    resource_id bigint,
    before      jsonb,
    after       jsonb,
    request_id  text CONSTRAINT audit_log_request_id_length CHECK (length(request_id) <= 128),
    address     inet
);
COMMENT ON TABLE audit_log IS 'Every write with its actor, before and after. Rows are added and never changed';
COMMENT ON COLUMN audit_log.client_id IS 'Whose row it was, NULL for rows of nobody. No foreign keys here: the log outlives what it tells of';
COMMENT ON COLUMN audit_log.user_id IS 'Who did it; NULL for the system and the command line';
-- Serves: the audit log of a client, newest first.
CREATE INDEX audit_log_by_client ON audit_log (client_id, id);
-- Serves: the history of one row.
CREATE INDEX audit_log_by_resource ON audit_log (resource, resource_id, id);
-- Serves: what one user did.
CREATE INDEX audit_log_by_user ON audit_log (user_id, id);

CREATE FUNCTION audit_log_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION audit_log_is_final() IS 'Trigger: refuses changes of the audit log';
CREATE TRIGGER final BEFORE UPDATE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_is_final();

CREATE TABLE idempotency_keys (
    user_id      bigint NOT NULL DEFAULT app_user() REFERENCES users ON DELETE CASCADE,
    key          text NOT NULL CONSTRAINT idempotency_keys_key_length CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea NOT NULL CONSTRAINT idempotency_keys_hash_size CHECK (octet_length(request_hash) = 32),
    status       smallint CONSTRAINT idempotency_keys_status_range CHECK (status BETWEEN 100 AND 599),
    headers      jsonb,
    body         bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    -- Serves: every POST that carries a key.
    PRIMARY KEY (user_id, key)
);
COMMENT ON TABLE idempotency_keys IS 'Answers to POSTs that carried an Idempotency-Key, written in the transaction of their effect';
COMMENT ON COLUMN idempotency_keys.request_hash IS 'Keyed hash of path and body: the same key with another request is an error. Keyed, because a body may hold a password';
COMMENT ON COLUMN idempotency_keys.status IS 'HTTP status of the stored answer; NULL while the first request still runs';
-- Serves: the clean-up of expired keys.
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- A policy cannot compare a row with its former self, so that nobody promotes himself is a trigger's work.
CREATE FUNCTION users_guard_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF app_role() IN ('user', 'auth') OR (app_role() = 'manager' AND (NEW.id = app_user() OR NEW.role = 'admin')) THEN
        RAISE EXCEPTION 'the role of user % is not for % to change', NEW.id, app_role() USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION users_guard_role() IS 'Trigger: nobody changes his own role, and only admins make admins';
CREATE TRIGGER guard_role BEFORE UPDATE OF role ON users FOR EACH ROW
    WHEN (OLD.role IS DISTINCT FROM NEW.role) EXECUTE FUNCTION users_guard_role();

-- Whoever takes the last admin away locks everybody out. The lock lets two who take away one admin each see each other.
CREATE FUNCTION users_keep_admin() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('users_keep_admin'));
    IF NOT EXISTS (SELECT FROM users WHERE role = 'admin' AND archived_at IS NULL) THEN
        RAISE EXCEPTION 'user % is the last active admin', OLD.id USING ERRCODE = 'check_violation', CONSTRAINT = 'users_last_admin';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION users_keep_admin() IS 'Trigger: refuses to demote, archive or delete the last active admin';
CREATE TRIGGER keep_admin AFTER UPDATE OF role, archived_at ON users FOR EACH ROW
    WHEN (OLD.role = 'admin' AND OLD.archived_at IS NULL AND (NEW.role <> 'admin' OR NEW.archived_at IS NOT NULL))
    EXECUTE FUNCTION users_keep_admin();
CREATE TRIGGER keep_admin_gone AFTER DELETE ON users FOR EACH ROW
    WHEN (OLD.role = 'admin' AND OLD.archived_at IS NULL) EXECUTE FUNCTION users_keep_admin();

-- ------------------------------------------------------------------ versions, row security

CALL versioned('clients');
CALL versioned('brands');
CALL versioned('users');
CALL versioned('api_keys', ARRAY['last_used_at']);

-- The row of a client is its own tenant. Managers edit their client's data, not its existence.
CALL protect('clients', $$(SELECT app_is_admin()) OR id = ANY ((SELECT app_readable())::bigint[])$$, row_rule('admin'));
CREATE POLICY manager_update ON clients FOR UPDATE TO tracker_api
    USING (id = ANY ((SELECT app_editable())::bigint[])) WITH CHECK (id = ANY ((SELECT app_editable())::bigint[]));
CALL protect('brands', row_rule('tenant'), row_rule('manager'));

-- A manager reads the users of his clients and edits those who have no others; nobody but an admin makes or
-- edits an admin; everybody reads and edits himself, but not his own role.
CALL protect('users',
    row_rule('admin') || ' OR ' || row_rule('auth') || $$ OR ((SELECT app_role()) IN ('manager', 'user') AND id = (SELECT app_user()))
        OR id IN (SELECT uc.user_id FROM user_clients uc WHERE uc.client_id = ANY ((SELECT app_editable())::bigint[]))
        OR ((SELECT app_role()) = 'manager' AND created_by = (SELECT app_user()) AND user_within_clients(id, (SELECT app_editable())))$$,
    row_rule('admin') || $$ OR ((SELECT app_role()) = 'manager' AND role <> 'admin' AND id <> coalesce((SELECT app_user()), 0)
        AND (created_by = (SELECT app_user()) OR id IN
            (SELECT uc.user_id FROM user_clients uc WHERE uc.client_id = ANY ((SELECT app_editable())::bigint[])))
        AND user_within_clients(id, (SELECT app_editable())))$$);
CREATE POLICY own_update ON users FOR UPDATE TO tracker_api
    USING ((SELECT app_role()) IN ('manager', 'user') AND id = (SELECT app_user()))
    WITH CHECK ((SELECT app_role()) IN ('manager', 'user') AND id = (SELECT app_user()));
CREATE POLICY auth_update ON users FOR UPDATE TO tracker_api
    USING ((SELECT app_role()) = 'auth') WITH CHECK ((SELECT app_role()) = 'auth');

CALL protect('user_clients',
    row_rule('admin') || ' OR ' || row_rule('auth') || ' OR ' || row_rule('own') || ' OR ' || row_rule('manager'),
    row_rule('admin') || $$ OR (client_id = ANY ((SELECT app_editable())::bigint[]) AND user_id <> coalesce((SELECT app_user()), 0))$$);

CALL protect('sessions', row_rule('admin') || ' OR ' || row_rule('auth') || ' OR ' || row_rule('own'),
             row_rule('admin') || ' OR ' || row_rule('auth') || ' OR ' || row_rule('own'));
CALL protect('session_tokens', row_rule('auth'), row_rule('auth'));
CALL protect('api_keys', row_rule('admin') || ' OR ' || row_rule('auth') || ' OR ' || row_rule('own'),
             row_rule('admin') || ' OR ' || row_rule('auth') || ' OR ' || row_rule('own'));
CALL protect('password_reset_tokens', row_rule('auth'), row_rule('auth') || ' OR ' || row_rule('admin'));
-- A manager invites the users whom he may edit.
CREATE POLICY manager_insert ON password_reset_tokens FOR INSERT TO tracker_api
    WITH CHECK ((SELECT app_role()) = 'manager' AND user_id IN (SELECT u.id FROM users u WHERE u.role <> 'admin')
                AND user_within_clients(user_id, (SELECT app_editable())));
CALL protect('login_attempts', row_rule('auth') || ' OR ' || row_rule('admin'), row_rule('auth') || ' OR ' || row_rule('admin'));
CALL protect('idempotency_keys', row_rule('own'), row_rule('own'));
-- Only the trigger writes here, as the owner.
CALL protect('auth_changes', row_rule('auth') || ' OR ' || row_rule('admin'), NULL, 'SELECT');

-- Everybody writes the log about himself; nobody but an admin, and a manager for his clients, reads it.
CALL protect('audit_log', row_rule('manager'), NULL, 'SELECT, INSERT');
CREATE POLICY api_insert ON audit_log FOR INSERT TO tracker_api, tracker_reader
    WITH CHECK ((SELECT app_role()) = 'auth' OR ((SELECT app_role()) <> '' AND user_id IS NOT DISTINCT FROM (SELECT app_user())
        AND (client_id IS NULL OR (SELECT app_is_admin()) OR client_id = ANY ((SELECT app_readable())::bigint[]))));

RESET ROLE;
