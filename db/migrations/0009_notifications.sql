-- Who wants to know what, what there is to know, and the outbox for mail and webhooks.
SET LOCAL ROLE tracker_owner;

CREATE DOMAIN notification_kind AS text CONSTRAINT notification_kind_known
    CHECK (VALUE IN ('delivered', 'left_delivery', 'arrived_in_storage', 'left_storage', 'silent', 'battery_low'));

CREATE TABLE subscriptions (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id           bigint NOT NULL DEFAULT app_user() REFERENCES users ON DELETE CASCADE,
    client_id         bigint NOT NULL REFERENCES clients,
    production_run_id bigint,
    tracker_id        bigint,
    kinds             notification_kind[] NOT NULL CONSTRAINT subscriptions_kinds_some
                      CHECK (cardinality(kinds) BETWEEN 1 AND 6 AND array_position(kinds, NULL) IS NULL),
    silent_days       smallint NOT NULL DEFAULT 7 CONSTRAINT subscriptions_silent_days_range CHECK (silent_days BETWEEN 1 AND 365),
    by_mail           boolean NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    version           bigint NOT NULL DEFAULT 1,
    CONSTRAINT subscriptions_run_fkey FOREIGN KEY (client_id, production_run_id) REFERENCES production_runs (client_id, id) ON DELETE CASCADE,
    CONSTRAINT subscriptions_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT subscriptions_one_subject CHECK (num_nonnulls(production_run_id, tracker_id) <= 1)
);
COMMENT ON TABLE subscriptions IS 'What a user wants to be told: of a tracker, of a run, or (both NULL) of a whole client';
COMMENT ON COLUMN subscriptions.silent_days IS 'For the kind silent: days without a report';
-- Serves: the subscriptions of a user; at most one per subject.
CREATE UNIQUE INDEX subscriptions_subject_key ON subscriptions (user_id, client_id, coalesce(production_run_id, 0), coalesce(tracker_id, 0));
-- Serve: who is to be told of a tracker, a run, a client; deleting these.
CREATE INDEX subscriptions_by_tracker ON subscriptions (tracker_id) WHERE tracker_id IS NOT NULL;
CREATE INDEX subscriptions_by_run ON subscriptions (production_run_id) WHERE production_run_id IS NOT NULL;
CREATE INDEX subscriptions_by_client ON subscriptions (client_id) WHERE production_run_id IS NULL AND tracker_id IS NULL;

CREATE TABLE notification_facts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id    bigint NOT NULL,
    tracker_id   bigint NOT NULL,
    kind         notification_kind NOT NULL,
    location_id  bigint,
    visit        tstzrange NOT NULL CONSTRAINT notification_facts_visit_form CHECK (NOT isempty(visit) AND NOT lower_inf(visit)),
    happened_at  timestamptz NOT NULL,
    withdrawn_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notification_facts_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT notification_facts_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id) ON DELETE CASCADE,
    CONSTRAINT notification_facts_client_id_key UNIQUE (client_id, id),
    -- Created once per fact, whatever is replayed. Serves: the fact that a replayed visit overlaps.
    CONSTRAINT notification_facts_one_per_visit
        EXCLUDE USING gist (tracker_id WITH =, (kind::text) WITH =, (coalesce(location_id, 0)) WITH =, visit WITH &&)
);
COMMENT ON TABLE notification_facts IS 'Things worth telling, each standing for a visit: tracker, kind, place, overlapping time. A replay shifts or withdraws it, and never tells it twice';
COMMENT ON COLUMN notification_facts.visit IS 'From the fact to the end of the visit (open while it lasts)';
COMMENT ON COLUMN notification_facts.withdrawn_at IS 'A replay found that it never was';
-- Serves: deleting a place.
CREATE INDEX notification_facts_by_location ON notification_facts (location_id) WHERE location_id IS NOT NULL;

CREATE TABLE notifications (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id  bigint NOT NULL,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    fact_id    bigint NOT NULL,
    tracker_id bigint NOT NULL,
    kind       notification_kind NOT NULL,
    data       jsonb NOT NULL DEFAULT '{}' CONSTRAINT notifications_data_size CHECK (pg_column_size(data) <= 4096),
    read_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version    bigint NOT NULL DEFAULT 1,
    CONSTRAINT notifications_fact_fkey FOREIGN KEY (client_id, fact_id) REFERENCES notification_facts (client_id, id) ON DELETE CASCADE,
    CONSTRAINT notifications_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    -- A fact is told to a user once, however many of his subscriptions it meets.
    CONSTRAINT notifications_once UNIQUE (fact_id, user_id)
);
COMMENT ON TABLE notifications IS 'Facts told to users in the application';
COMMENT ON COLUMN notifications.data IS 'Names and times as they were, for the text: tracker, place, run, happened_at, withdrawn';
-- Serves: the notifications of a user, newest first.
CREATE INDEX notifications_by_user ON notifications (user_id, id);
-- Serves: the unread count.
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;
-- Serves: deleting a tracker.
CREATE INDEX notifications_by_tracker ON notifications (tracker_id);

CREATE TABLE webhooks (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id     bigint NOT NULL REFERENCES clients,
    name          text NOT NULL CONSTRAINT webhooks_name_length CHECK (length(name) BETWEEN 1 AND 200),
    url           text NOT NULL CONSTRAINT webhooks_url_form CHECK (url ~ '^https?://[^[:space:]]+$' AND length(url) <= 2000),
    kinds         notification_kind[] NOT NULL CONSTRAINT webhooks_kinds_some
                  CHECK (cardinality(kinds) BETWEEN 1 AND 6 AND array_position(kinds, NULL) IS NULL),
    secret_sealed bytea CONSTRAINT webhooks_secret_size CHECK (octet_length(secret_sealed) <= 1024),
    master_key_id text CONSTRAINT webhooks_master_key_id_length CHECK (length(master_key_id) <= 64),
    enabled       boolean NOT NULL DEFAULT true,
    failures      integer NOT NULL DEFAULT 0 CONSTRAINT webhooks_failures_positive CHECK (failures >= 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    version       bigint NOT NULL DEFAULT 1,
    archived_at   timestamptz,
    CONSTRAINT webhooks_client_id_key UNIQUE (client_id, id)
);
COMMENT ON TABLE webhooks IS 'Addresses of a client''s own systems that are told of facts, signed with a sealed secret';
CREATE UNIQUE INDEX webhooks_name_key ON webhooks (client_id, lower(name)) WHERE archived_at IS NULL;

CREATE TABLE deliveries (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id       bigint REFERENCES clients ON DELETE CASCADE,
    channel         text NOT NULL CONSTRAINT deliveries_channel_known CHECK (channel IN ('mail', 'webhook')),
    webhook_id      bigint,
    notification_id bigint REFERENCES notifications ON DELETE SET NULL,
    recipient       text CONSTRAINT deliveries_recipient_length CHECK (length(recipient) <= 254),
    subject         text CONSTRAINT deliveries_subject_length CHECK (length(subject) <= 500),
    body            text NOT NULL CONSTRAINT deliveries_body_size CHECK (octet_length(body) <= 262144),
    dedupe_key      text CONSTRAINT deliveries_dedupe_length CHECK (length(dedupe_key) <= 200),
    state           text NOT NULL DEFAULT 'waiting' CONSTRAINT deliveries_state_known CHECK (state IN ('waiting', 'sent', 'failed', 'cancelled')),
    attempts        smallint NOT NULL DEFAULT 0 CONSTRAINT deliveries_attempts_positive CHECK (attempts >= 0),
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error      text CONSTRAINT deliveries_last_error_length CHECK (length(last_error) <= 2000),
    sent_at         timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deliveries_webhook_fkey FOREIGN KEY (client_id, webhook_id) REFERENCES webhooks (client_id, id) ON DELETE CASCADE,
    CONSTRAINT deliveries_recipient_by_channel CHECK (CASE channel WHEN 'mail' THEN recipient IS NOT NULL AND webhook_id IS NULL
        ELSE webhook_id IS NOT NULL AND client_id IS NOT NULL END),
    -- Written twice, sent once.
    CONSTRAINT deliveries_dedupe_key UNIQUE (dedupe_key)
);
COMMENT ON TABLE deliveries IS 'Outbox: mails and webhook calls, written in the transaction of their cause and sent by a worker';
COMMENT ON COLUMN deliveries.client_id IS 'NULL for mail of nobody, such as a password reset';
-- Serves: what is to be sent now, oldest first, SKIP LOCKED.
CREATE INDEX deliveries_due ON deliveries (next_attempt_at, id) WHERE state = 'waiting';
-- Serve: the deliveries of a client or webhook; deleting a notification.
CREATE INDEX deliveries_by_client ON deliveries (client_id, id);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, id) WHERE webhook_id IS NOT NULL;
CREATE INDEX deliveries_by_notification ON deliveries (notification_id) WHERE notification_id IS NOT NULL;

CALL versioned('subscriptions');
CALL versioned('notifications');
CALL versioned('webhooks');
CALL protect('subscriptions', row_rule('own_tenant'), row_rule('own_tenant'));
CALL protect('notification_facts', row_rule('tenant'), NULL, 'SELECT');
-- Only the read mark is the user's.
CALL protect('notifications', row_rule('own_tenant'), row_rule('own_tenant'), 'SELECT, UPDATE (read_at), DELETE');
CALL protect('webhooks', row_rule('manager'), row_rule('manager'), 'INSERT, UPDATE, DELETE');
GRANT SELECT (id, client_id, name, url, kinds, master_key_id, enabled, failures, created_at, updated_at, version, archived_at)
    ON webhooks TO tracker_api;
-- The API hands mails in (invitations, resets), and shows managers what became of their client's.
CALL protect('deliveries', row_rule('manager'), NULL, 'INSERT');
CREATE POLICY api_insert ON deliveries FOR INSERT TO tracker_api, tracker_reader
    WITH CHECK ((channel = 'mail' AND client_id IS NULL AND (SELECT app_role()) IN ('admin', 'manager', 'auth')) OR (SELECT app_role()) = 'admin');
GRANT SELECT (id, client_id, channel, webhook_id, notification_id, recipient, subject, state, attempts, next_attempt_at, last_error,
              sent_at, created_at) ON deliveries TO tracker_api;

RESET ROLE;
