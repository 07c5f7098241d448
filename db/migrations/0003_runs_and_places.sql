-- Production runs, the places that their trackers visit (with shapes that change over time), exclusion areas.
SET LOCAL ROLE tracker_owner;

-- ------------------------------------------------------------------ production runs

CREATE TABLE production_runs (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id       bigint NOT NULL REFERENCES clients,
    brand_id        bigint NOT NULL,
    name            text NOT NULL CONSTRAINT production_runs_name_length CHECK (length(name) BETWEEN 1 AND 200),
    description     text NOT NULL DEFAULT '' CONSTRAINT production_runs_description_length CHECK (length(description) <= 4000),
    starts_at       timestamptz NOT NULL DEFAULT now(),
    ends_at         timestamptz,
    confirm_reports smallint CONSTRAINT production_runs_confirm_range CHECK (confirm_reports BETWEEN 1 AND 20),
    release_at      timestamptz,
    fetching        boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    version         bigint NOT NULL DEFAULT 1,
    archived_at     timestamptz,
    CONSTRAINT production_runs_period CHECK (starts_at <= ends_at),
    CONSTRAINT production_runs_brand_fkey FOREIGN KEY (client_id, brand_id) REFERENCES brands (client_id, id),
    -- Target of composite foreign keys; serves: list runs of a client, keyset pages by id.
    CONSTRAINT production_runs_client_id_key UNIQUE (client_id, id)
);
COMMENT ON TABLE production_runs IS 'A batch of goods with trackers, and the places where they belong. Reports are fetched between start and end';
COMMENT ON COLUMN production_runs.confirm_reports IS 'Judged reports in a row that a change of place needs; NULL for the CONFIRM_REPORTS setting';
COMMENT ON COLUMN production_runs.release_at IS 'Goods that leave storage earlier are an exception; NULL when any time will do';
COMMENT ON COLUMN production_runs.fetching IS 'Bookkeeping of arm_fetches(): whether the trackers of this run stand in the queue of due trackers';
-- Serves: creating and renaming (unique within the brand).
CREATE UNIQUE INDEX production_runs_name_key ON production_runs (brand_id, lower(name)) WHERE archived_at IS NULL;
-- Serves: runs of a brand; deleting a brand.
CREATE INDEX production_runs_by_brand ON production_runs (client_id, brand_id, id);
-- Serves: list runs of a client sorted by name, start or end.
CREATE INDEX production_runs_by_name ON production_runs (client_id, name, id);
CREATE INDEX production_runs_by_start ON production_runs (client_id, starts_at, id);

-- ------------------------------------------------------------------ locations

CREATE TYPE location_kind AS ENUM ('storage', 'delivery');

CREATE TABLE locations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   bigint NOT NULL REFERENCES clients,
    kind        location_kind NOT NULL,
    name        text NOT NULL CONSTRAINT locations_name_length CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CONSTRAINT locations_description_length CHECK (length(description) <= 4000),
    address     text NOT NULL DEFAULT '' CONSTRAINT locations_address_length CHECK (length(address) <= 500),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    version     bigint NOT NULL DEFAULT 1,
    archived_at timestamptz,
    -- Target of composite foreign keys; serves: list places of a client, keyset pages by id.
    CONSTRAINT locations_client_id_key UNIQUE (client_id, id)
);
COMMENT ON TABLE locations IS 'Places (geofences): warehouses and delivery addresses. The API sees them through storage_locations and delivery_locations';
-- Serves: creating and renaming (unique within client and kind).
CREATE UNIQUE INDEX locations_name_key ON locations (client_id, kind, lower(name)) WHERE archived_at IS NULL;
-- Serves: list places of one kind of a client sorted by name or id.
CREATE INDEX locations_by_name ON locations (client_id, kind, name, id);
CREATE INDEX locations_by_kind ON locations (client_id, kind, id);

CREATE TABLE location_shapes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id    bigint NOT NULL,
    location_id  bigint NOT NULL,
    period       tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL)
                 CONSTRAINT location_shapes_period_form CHECK (NOT isempty(period) AND (upper_inf(period) OR NOT upper_inc(period))),
    center       geography(Point, 4326),
    radius_m     double precision CONSTRAINT location_shapes_radius_range CHECK (radius_m BETWEEN 50 AND 50000),
    polygon      geography(Polygon, 4326),
    hysteresis_m double precision CONSTRAINT location_shapes_hysteresis_range CHECK (hysteresis_m BETWEEN 0 AND 1000),
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   bigint DEFAULT app_user() REFERENCES users ON DELETE SET NULL,
    fence        geography GENERATED ALWAYS AS (coalesce(polygon::geometry, center::geometry)::geography) STORED,
    CONSTRAINT location_shapes_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id) ON DELETE CASCADE,
    CONSTRAINT location_shapes_circle_or_polygon
        CHECK ((center IS NOT NULL AND radius_m IS NOT NULL AND polygon IS NULL) OR (center IS NULL AND radius_m IS NULL AND polygon IS NOT NULL)),
    -- No self-intersection, no empty rings; 1,000 corners draw any building and bound the cost of a distance.
    CONSTRAINT location_shapes_polygon_valid
        CHECK (polygon IS NULL OR (ST_IsValid(polygon::geometry) AND NOT ST_IsEmpty(polygon::geometry) AND ST_NPoints(polygon::geometry) <= 1000)),
    -- 100 m2 is a small shop, 8e9 m2 the largest circle; wider than half the globe means a wrong turn at the antimeridian.
    CONSTRAINT location_shapes_polygon_within_bounds
        CHECK (polygon IS NULL OR (ST_Area(polygon) BETWEEN 100 AND 8e9 AND ST_XMax(polygon::geometry) - ST_XMin(polygon::geometry) < 180)),
    -- One shape at a time. Serves: the shape of a place at a time; deleting a place.
    CONSTRAINT location_shapes_no_overlap EXCLUDE USING gist (location_id WITH =, period WITH &&)
);
COMMENT ON TABLE location_shapes IS 'Where a place is: a circle or a polygon, each valid for a period, so that the past is judged by the fences of the past';
COMMENT ON COLUMN location_shapes.hysteresis_m IS 'Metres beyond the edge before a place is left; NULL for the rule: min(10 % of the radius, 25 m), 25 m for polygons';
COMMENT ON COLUMN location_shapes.fence IS 'The polygon or the centre: distance to it, less the radius of a circle, is the distance to the edge from outside';
-- Serves: which places are near a position (ST_DWithin on fence), for exceptions and for editing on the map.
CREATE INDEX location_shapes_by_fence ON location_shapes USING gist (fence);
-- Serves: list shapes of a client's places with a composite foreign key check.
CREATE INDEX location_shapes_by_location ON location_shapes (client_id, location_id);
-- Serves: the check behind created_by when a user is deleted.
CREATE INDEX location_shapes_by_creator ON location_shapes (created_by) WHERE created_by IS NOT NULL;

CREATE TABLE production_run_locations (
    client_id         bigint NOT NULL,
    production_run_id bigint NOT NULL,
    location_id       bigint NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    -- Serves: the places of a run.
    PRIMARY KEY (production_run_id, location_id),
    CONSTRAINT production_run_locations_run_fkey FOREIGN KEY (client_id, production_run_id)
        REFERENCES production_runs (client_id, id) ON DELETE CASCADE,
    CONSTRAINT production_run_locations_location_fkey FOREIGN KEY (client_id, location_id) REFERENCES locations (client_id, id)
);
COMMENT ON TABLE production_run_locations IS 'Which places count for which run. A place in use cannot be deleted';
-- Serves: the runs that use a place; deleting a place.
CREATE INDEX production_run_locations_by_location ON production_run_locations (client_id, location_id, production_run_id);

-- ------------------------------------------------------------------ places by kind, as the API sees them

-- One definition, two views. Reads go through row security of the caller (security_invoker). Writes are
-- split by the trigger below, so that a place and its first shape are one insert.
DO $do$
DECLARE
    k text;
BEGIN
    FOREACH k IN ARRAY ARRAY['storage', 'delivery'] LOOP
        EXECUTE format($sql$
            CREATE VIEW %1$s_locations WITH (security_invoker = true) AS
            SELECT l.id, l.client_id, l.name, l.description, l.address,
                   ST_Y(s.center::geometry) AS latitude, ST_X(s.center::geometry) AS longitude, s.radius_m,
                   ST_AsGeoJSON(s.polygon)::jsonb AS polygon, s.hysteresis_m,
                   lower(s.period) AS valid_from, l.created_at, l.updated_at, l.version, l.archived_at
            FROM locations l
            LEFT JOIN location_shapes s ON s.location_id = l.id AND s.period @> now()
            WHERE l.kind = '%1$s'$sql$, k);
        EXECUTE format($sql$
            COMMENT ON VIEW %1$s_locations IS 'Places of kind %1$s with the shape of this moment. Insert, update and delete work'$sql$, k);
    END LOOP;
END
$do$;
COMMENT ON COLUMN storage_locations.valid_from IS 'Start of the shape, NULL for always. An update that sets it to another time starts a new shape there; one that leaves it corrects the past';
COMMENT ON COLUMN delivery_locations.valid_from IS 'As in storage_locations';

CREATE FUNCTION location_view_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moved boolean;
    shape location_shapes;
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM locations WHERE id = OLD.id AND version = OLD.version;
        RETURN CASE WHEN FOUND THEN OLD END;
    END IF;

    shape.center := ST_SetSRID(ST_MakePoint(NEW.longitude, NEW.latitude), 4326)::geography;
    shape.polygon := ST_SetSRID(ST_GeomFromGeoJSON(NEW.polygon), 4326)::geography;
    IF NEW.latitude NOT BETWEEN -90 AND 90 OR NEW.longitude NOT BETWEEN -180 AND 180 THEN
        RAISE EXCEPTION 'position is not on the globe' USING ERRCODE = 'check_violation', CONSTRAINT = 'location_shapes_center_range';
    END IF;

    IF TG_OP = 'INSERT' THEN
        INSERT INTO locations (client_id, kind, name, description, address, archived_at)
        VALUES (NEW.client_id, TG_ARGV[0]::location_kind, NEW.name, coalesce(NEW.description, ''), coalesce(NEW.address, ''), NEW.archived_at)
        RETURNING id, description, address, created_at, updated_at, version
        INTO NEW.id, NEW.description, NEW.address, NEW.created_at, NEW.updated_at, NEW.version;
        IF NEW.polygon IS NULL THEN
            NEW.radius_m := coalesce(NEW.radius_m, 200);
        END IF;
        INSERT INTO location_shapes (client_id, location_id, period, center, radius_m, polygon, hysteresis_m)
        VALUES (NEW.client_id, NEW.id, tstzrange(NEW.valid_from, NULL), shape.center, NEW.radius_m, shape.polygon, NEW.hysteresis_m);
        RETURN NEW;
    END IF;

    -- Always touched, so that a changed shape has a new ETag too.
    UPDATE locations SET client_id = NEW.client_id, name = NEW.name, description = NEW.description, address = NEW.address,
                         archived_at = NEW.archived_at
    WHERE id = OLD.id AND version = OLD.version RETURNING updated_at, version INTO NEW.updated_at, NEW.version;
    IF NOT FOUND THEN
        RETURN NULL; -- row security hides it from writers, or somebody else was faster
    END IF;
    moved := NEW.valid_from IS DISTINCT FROM OLD.valid_from;
    IF NOT moved AND (NEW.latitude, NEW.longitude, NEW.radius_m, NEW.polygon, NEW.hysteresis_m)
       IS NOT DISTINCT FROM (OLD.latitude, OLD.longitude, OLD.radius_m, OLD.polygon, OLD.hysteresis_m) THEN
        RETURN NEW;
    END IF;
    -- A circle that becomes a polygon, or the reverse, without the other form being taken away by the caller.
    IF NEW.polygon IS DISTINCT FROM OLD.polygon AND NEW.polygon IS NOT NULL THEN
        NEW.latitude := NULL; NEW.longitude := NULL; NEW.radius_m := NULL; shape.center := NULL;
    ELSIF NEW.latitude IS DISTINCT FROM OLD.latitude AND NEW.latitude IS NOT NULL AND OLD.polygon IS NOT NULL THEN
        NEW.polygon := NULL; shape.polygon := NULL; NEW.radius_m := coalesce(NEW.radius_m, 200);
    END IF;
    IF moved THEN
        -- A new shape from the given time: later ones give way, the one in force then ends.
        DELETE FROM location_shapes WHERE location_id = OLD.id AND lower(period) >= NEW.valid_from;
        DELETE FROM location_shapes WHERE location_id = OLD.id AND NEW.valid_from IS NULL;
        UPDATE location_shapes SET period = tstzrange(lower(period), NEW.valid_from)
        WHERE location_id = OLD.id AND period @> NEW.valid_from;
        INSERT INTO location_shapes (client_id, location_id, period, center, radius_m, polygon, hysteresis_m)
        VALUES (OLD.client_id, OLD.id, tstzrange(NEW.valid_from, NULL), shape.center, NEW.radius_m, shape.polygon, NEW.hysteresis_m);
    ELSE
        UPDATE location_shapes SET center = shape.center, radius_m = NEW.radius_m, polygon = shape.polygon, hysteresis_m = NEW.hysteresis_m
        WHERE location_id = OLD.id AND period @> now();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION location_view_write() IS 'Trigger: writes to storage_locations and delivery_locations go to locations and location_shapes';
CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON storage_locations
    FOR EACH ROW EXECUTE FUNCTION location_view_write('storage');
CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON delivery_locations
    FOR EACH ROW EXECUTE FUNCTION location_view_write('delivery');
GRANT SELECT, INSERT, UPDATE, DELETE ON storage_locations, delivery_locations TO tracker_api, tracker_worker;

-- ------------------------------------------------------------------ exclusion areas

CREATE TABLE exclusion_areas (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id         bigint REFERENCES clients,
    production_run_id bigint,
    name              text NOT NULL CONSTRAINT exclusion_areas_name_length CHECK (length(name) BETWEEN 1 AND 200),
    description       text NOT NULL DEFAULT '' CONSTRAINT exclusion_areas_description_length CHECK (length(description) <= 4000),
    area              geometry(Geometry, 4326) NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    version           bigint NOT NULL DEFAULT 1,
    archived_at       timestamptz,
    CONSTRAINT exclusion_areas_run_fkey FOREIGN KEY (client_id, production_run_id) REFERENCES production_runs (client_id, id) ON DELETE CASCADE,
    CONSTRAINT exclusion_areas_run_needs_client CHECK (production_run_id IS NULL OR client_id IS NOT NULL),
    CONSTRAINT exclusion_areas_area_valid
        CHECK (GeometryType(area) IN ('POLYGON', 'MULTIPOLYGON') AND ST_IsValid(area) AND NOT ST_IsEmpty(area) AND ST_NPoints(area) <= 5000
               AND ST_XMin(area) >= -180 AND ST_XMax(area) <= 180 AND ST_YMin(area) >= -90 AND ST_YMax(area) <= 90)
);
COMMENT ON TABLE exclusion_areas IS 'Areas whose reports are flagged and never judged, such as the factory; for everybody, for a client or for one run';
COMMENT ON COLUMN exclusion_areas.client_id IS 'NULL for an area that counts for all clients, which only admins see and edit';
COMMENT ON COLUMN exclusion_areas.production_run_id IS 'Narrows the area to one run; NULL for the whole client';
-- Serves: which areas hold the reports of a batch.
CREATE INDEX exclusion_areas_by_area ON exclusion_areas USING gist (area) WHERE archived_at IS NULL;
-- Serves: list areas of a client; unique names; deleting a run.
CREATE UNIQUE INDEX exclusion_areas_name_key ON exclusion_areas (coalesce(client_id, 0), lower(name)) WHERE archived_at IS NULL;
CREATE INDEX exclusion_areas_by_client ON exclusion_areas (client_id, production_run_id, id);

-- ------------------------------------------------------------------ versions, row security

CALL versioned('production_runs', ARRAY['fetching']);
CALL versioned('locations');
CALL versioned('exclusion_areas');
CALL protect('production_runs', row_rule('tenant'), row_rule('manager'));
CALL protect('locations', row_rule('tenant'), row_rule('manager'));
CALL protect('location_shapes', row_rule('tenant'), row_rule('manager'));
CALL protect('production_run_locations', row_rule('tenant'), row_rule('manager'));
CALL protect('exclusion_areas', row_rule('tenant'), row_rule('manager'));

RESET ROLE;
