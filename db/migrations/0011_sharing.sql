-- Share links for people without an account, and images.
SET LOCAL ROLE tracker_owner;

CREATE TABLE share_links (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint NOT NULL REFERENCES clients,
    tracker_id        bigint,
    production_run_id bigint,
    name              text NOT NULL DEFAULT '' CONSTRAINT share_links_name_length CHECK (length(name) <= 200),
    token_hash        bytea NOT NULL CONSTRAINT share_links_hash_size CHECK (octet_length(token_hash) = 32),
    expires_at        timestamptz,
    revoked_at        timestamptz,
    last_used_at      timestamptz,
    created_by        bigint DEFAULT app_user() REFERENCES users ON DELETE SET NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    version           bigint NOT NULL DEFAULT 1,
    CONSTRAINT share_links_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id) ON DELETE CASCADE,
    CONSTRAINT share_links_run_fkey FOREIGN KEY (client_id, production_run_id) REFERENCES production_runs (client_id, id) ON DELETE CASCADE,
    CONSTRAINT share_links_one_subject CHECK (num_nonnulls(tracker_id, production_run_id) = 1),
    -- Serves: following a link.
    CONSTRAINT share_links_hash_key UNIQUE (token_hash)
);
COMMENT ON TABLE share_links IS 'Signed links that show one tracker or one run to somebody without an account';
-- Serve: the links of a client, a tracker or a run; deleting these and users.
CREATE INDEX share_links_by_client ON share_links (client_id, id);
CREATE INDEX share_links_by_tracker ON share_links (tracker_id) WHERE tracker_id IS NOT NULL;
CREATE INDEX share_links_by_run ON share_links (production_run_id) WHERE production_run_id IS NOT NULL;
CREATE INDEX share_links_by_creator ON share_links (created_by) WHERE created_by IS NOT NULL;

CREATE TABLE images (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint NOT NULL REFERENCES clients,
    owner_kind        text NOT NULL CONSTRAINT images_owner_kind_known CHECK (owner_kind IN ('client', 'brand', 'production_run', 'tracker', 'location')),
    owner_id          bigint NOT NULL,
    position          integer NOT NULL DEFAULT 0,
    caption           text NOT NULL DEFAULT '' CONSTRAINT images_caption_length CHECK (length(caption) <= 500),
    content_type      text NOT NULL CONSTRAINT images_content_type_length CHECK (length(content_type) BETWEEN 3 AND 100),
    width             integer NOT NULL CONSTRAINT images_width_range CHECK (width BETWEEN 1 AND 100000),
    height            integer NOT NULL CONSTRAINT images_height_range CHECK (height BETWEEN 1 AND 100000),
    bytes             bigint NOT NULL CONSTRAINT images_bytes_range CHECK (bytes BETWEEN 1 AND 104857600),
    checksum          bytea NOT NULL CONSTRAINT images_checksum_size CHECK (octet_length(checksum) = 32),
    storage_key       text NOT NULL CONSTRAINT images_storage_key_length CHECK (length(storage_key) BETWEEN 1 AND 300),
    sizes             jsonb NOT NULL DEFAULT '[]' CONSTRAINT images_sizes_form CHECK (jsonb_typeof(sizes) = 'array' AND pg_column_size(sizes) <= 8192),
    created_by        bigint DEFAULT app_user() REFERENCES users ON DELETE SET NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    version           bigint NOT NULL DEFAULT 1,
    -- The owner once more, by kind: real foreign keys, so that no image shows another tenant's thing or outlives its own.
    brand_id          bigint GENERATED ALWAYS AS (CASE owner_kind WHEN 'brand' THEN owner_id END) STORED,
    production_run_id bigint GENERATED ALWAYS AS (CASE owner_kind WHEN 'production_run' THEN owner_id END) STORED,
    tracker_id        bigint GENERATED ALWAYS AS (CASE owner_kind WHEN 'tracker' THEN owner_id END) STORED,
    location_id       bigint GENERATED ALWAYS AS (CASE owner_kind WHEN 'location' THEN owner_id END) STORED,
    CONSTRAINT images_client_is_owner CHECK (owner_kind <> 'client' OR owner_id = client_id),
    CONSTRAINT images_brand_fkey FOREIGN KEY (client_id, brand_id) REFERENCES brands (client_id, id),
    CONSTRAINT images_run_fkey FOREIGN KEY (client_id, production_run_id) REFERENCES production_runs (client_id, id),
    CONSTRAINT images_tracker_fkey FOREIGN KEY (client_id, tracker_id) REFERENCES trackers (client_id, id),
    CONSTRAINT images_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id),
    CONSTRAINT images_storage_key_key UNIQUE (storage_key)
);
COMMENT ON TABLE images IS 'Images of clients, brands, runs, trackers and locations; the files are in the media folder or bucket';
COMMENT ON COLUMN images.checksum IS 'SHA-256 of the upload';
COMMENT ON COLUMN images.storage_key IS 'Prefix of the files'' names';
COMMENT ON COLUMN images.sizes IS '[{"name": "320", "width": w, "height": h, "bytes": n}, ...]';
-- Serves: the gallery of an owner, in order.
CREATE INDEX images_by_owner ON images (owner_kind, owner_id, position, id);
-- Serve: list images of a client; deleting owners and users.
CREATE INDEX images_by_client ON images (client_id, id);
CREATE INDEX images_by_brand ON images (brand_id) WHERE brand_id IS NOT NULL;
CREATE INDEX images_by_run ON images (production_run_id) WHERE production_run_id IS NOT NULL;
CREATE INDEX images_by_tracker ON images (tracker_id) WHERE tracker_id IS NOT NULL;
CREATE INDEX images_by_location ON images (location_id) WHERE location_id IS NOT NULL;
CREATE INDEX images_by_creator ON images (created_by) WHERE created_by IS NOT NULL;

CALL versioned('share_links', ARRAY['last_used_at']);
CALL versioned('images');
CALL protect('share_links', row_rule('tenant') || ' OR ' || row_rule('auth'), row_rule('manager'));
-- Following a link notes its use.
CREATE POLICY auth_update ON share_links FOR UPDATE TO tracker_api
    USING ((SELECT app_role()) = 'auth') WITH CHECK ((SELECT app_role()) = 'auth');
CALL protect('images', row_rule('tenant'), row_rule('manager'));

RESET ROLE;
