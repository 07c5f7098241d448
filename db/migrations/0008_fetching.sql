-- Apple accounts, provider profiles and the log of fetch batches: the operator's own, of no tenant.
SET LOCAL ROLE tracker_owner;

CREATE TABLE apple_accounts (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name               text NOT NULL CONSTRAINT apple_accounts_name_length CHECK (length(name) BETWEEN 1 AND 100),
    state              text NOT NULL DEFAULT 'signed_out' CONSTRAINT apple_accounts_state_known
                       CHECK (state IN ('signed_out', 'signing_in', 'second_factor', 'ready', 'locked', 'parked', 'disabled')),
    state_reason       text CONSTRAINT apple_accounts_state_reason_length CHECK (length(state_reason) <= 500),
    state_since        timestamptz NOT NULL DEFAULT now(),
    credentials_sealed bytea CONSTRAINT apple_accounts_credentials_size CHECK (octet_length(credentials_sealed) <= 8192),
    session_sealed     bytea CONSTRAINT apple_accounts_session_size CHECK (octet_length(session_sealed) <= 262144),
    anisette_sealed    bytea CONSTRAINT apple_accounts_anisette_size CHECK (octet_length(anisette_sealed) <= 262144),
    master_key_id      text CONSTRAINT apple_accounts_master_key_id_length CHECK (length(master_key_id) <= 64),
    second_factor      jsonb CONSTRAINT apple_accounts_second_factor_size CHECK (pg_column_size(second_factor) <= 8192),
    next_allowed_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at       timestamptz,
    last_success_at    timestamptz,
    failures           integer NOT NULL DEFAULT 0 CONSTRAINT apple_accounts_failures_positive CHECK (failures >= 0),
    lease_owner        text CONSTRAINT apple_accounts_lease_owner_length CHECK (length(lease_owner) <= 100),
    lease_until        timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    version            bigint NOT NULL DEFAULT 1,
    archived_at        timestamptz
);
COMMENT ON TABLE apple_accounts IS 'Accounts by which Apple is asked. The database keeps their interval, so that any number of containers respects it';
COMMENT ON COLUMN apple_accounts.state IS 'parked: needs an admin (state_reason says why); second_factor: waits for a code';
COMMENT ON COLUMN apple_accounts.credentials_sealed IS 'Apple ID and password, sealed with the master key';
COMMENT ON COLUMN apple_accounts.session_sealed IS 'Tokens, and the state of a sign-in between its steps, sealed: a restart goes on where it was';
COMMENT ON COLUMN apple_accounts.anisette_sealed IS 'Provisioned Anisette identity of this account, sealed';
COMMENT ON COLUMN apple_accounts.second_factor IS 'How a code may be had (trusted device, masked phone numbers with their ids)';
COMMENT ON COLUMN apple_accounts.next_allowed_at IS 'Not to be used before: moved forward in the transaction that takes the account, not after its answer';
CREATE UNIQUE INDEX apple_accounts_name_key ON apple_accounts (lower(name)) WHERE archived_at IS NULL;
-- Serves: the account that has rested longest, SKIP LOCKED.
CREATE INDEX apple_accounts_ready ON apple_accounts (next_allowed_at, id) WHERE state = 'ready' AND archived_at IS NULL;
CALL versioned('apple_accounts', ARRAY['lease_owner', 'lease_until']);

CREATE TABLE provider_profiles (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CONSTRAINT provider_profiles_name_length CHECK (length(name) BETWEEN 1 AND 100),
    document   jsonb NOT NULL CONSTRAINT provider_profiles_document_form
               CHECK (jsonb_typeof(document) = 'object' AND pg_column_size(document) <= 65536),
    active     boolean NOT NULL DEFAULT false,
    note       text NOT NULL DEFAULT '' CONSTRAINT provider_profiles_note_length CHECK (length(note) <= 2000),
    created_by bigint DEFAULT app_user() REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version    bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE provider_profiles IS 'End points, headers, limits and retry rules of Apple''s side. The built-in default counts while none is active';
-- Serves: the profile in force, of which there is at most one.
CREATE UNIQUE INDEX provider_profiles_active ON provider_profiles (active) WHERE active;
-- Serves: deleting a user.
CREATE INDEX provider_profiles_by_creator ON provider_profiles (created_by) WHERE created_by IS NOT NULL;
CALL versioned('provider_profiles');

CREATE TABLE fetch_batches (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    apple_account_id bigint REFERENCES apple_accounts ON DELETE SET NULL,
    kind             text NOT NULL DEFAULT 'cycle' CONSTRAINT fetch_batches_kind_known CHECK (kind IN ('cycle', 'now', 'history')),
    worker           text NOT NULL DEFAULT '' CONSTRAINT fetch_batches_worker_length CHECK (length(worker) <= 100),
    started_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    result           text CONSTRAINT fetch_batches_result_form CHECK (result ~ '^[a-z][a-z0-9_]{0,49}$'),
    http_status      smallint,
    error            text CONSTRAINT fetch_batches_error_length CHECK (length(error) <= 2000),
    trackers         integer NOT NULL DEFAULT 0,
    key_ids          integer NOT NULL DEFAULT 0,
    reports_received integer NOT NULL DEFAULT 0,
    reports_new      integer NOT NULL DEFAULT 0,
    reports_rejected integer NOT NULL DEFAULT 0,
    CONSTRAINT fetch_batches_finished_with_result CHECK ((finished_at IS NULL) = (result IS NULL)),
    CONSTRAINT fetch_batches_period CHECK (finished_at >= started_at)
);
COMMENT ON TABLE fetch_batches IS 'Log of requests to Apple. The age of the newest good one is the health of the fetcher';
COMMENT ON COLUMN fetch_batches.result IS 'ok, empty, retry_later, sign_in_again, second_factor, locked, our_fault, ...; NULL while it runs';
-- Serves: the batches of an account, newest first.
CREATE INDEX fetch_batches_by_account ON fetch_batches (apple_account_id, id);
-- Serves: health (newest batch of a result) and batches by result over time.
CREATE INDEX fetch_batches_by_result ON fetch_batches (result, finished_at);
-- Serves: batches by time, and the clean-up of old ones.
CREATE INDEX fetch_batches_by_start ON fetch_batches (started_at);

CREATE TABLE provider_recordings (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fetch_batch_id bigint REFERENCES fetch_batches ON DELETE SET NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    sealed         bytea NOT NULL CONSTRAINT provider_recordings_size CHECK (octet_length(sealed) <= 33554432),
    master_key_id  text NOT NULL CONSTRAINT provider_recordings_master_key_id_length CHECK (length(master_key_id) <= 64)
);
COMMENT ON TABLE provider_recordings IS 'Answers of Apple kept for replay while recording is switched on, sealed';
-- Serves: the recording of a batch; the clean-up of old ones.
CREATE INDEX provider_recordings_by_batch ON provider_recordings (fetch_batch_id);
CREATE INDEX provider_recordings_by_age ON provider_recordings (recorded_at);

-- The API hands sealed credentials in and reads everything about an account but what is sealed.
CALL protect('apple_accounts', row_rule('admin'), row_rule('admin'), 'INSERT, UPDATE, DELETE');
GRANT SELECT (id, name, state, state_reason, state_since, master_key_id, second_factor, next_allowed_at, last_used_at, last_success_at,
              failures, lease_owner, lease_until, created_at, updated_at, version, archived_at) ON apple_accounts TO tracker_api;
CALL protect('provider_profiles', row_rule('admin'), row_rule('admin'));
CALL protect('fetch_batches', row_rule('admin'), NULL, 'SELECT');
CALL protect('provider_recordings', row_rule('admin'), NULL, '');

RESET ROLE;
