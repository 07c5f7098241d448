-- Place names for positions: the cache that all tenants share, and the offline gazetteer.
SET LOCAL ROLE tracker_owner;

INSERT INTO schema_info VALUES ('geocode_precision', '2');

-- Rounded in whole numbers, so that C and SQL cannot disagree about a half: floor((e7 + unit/2) / unit).
CREATE FUNCTION geocode_precision() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce((SELECT i.value::integer FROM schema_info i WHERE i.key = 'geocode_precision'), 2);
COMMENT ON FUNCTION geocode_precision() IS 'Decimal places of the cells that are in use: 2 is about 1.1 km';

CREATE FUNCTION geocode_cell(e7 integer, places integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN floor((e7 + 10 ^ (7 - places) / 2) / 10 ^ (7 - places))::integer;
COMMENT ON FUNCTION geocode_cell(integer, integer) IS 'Cell of a coordinate in 1e-7 degrees, rounded to decimal places: the middle of cell n is n / 10^places degrees';
GRANT EXECUTE ON FUNCTION geocode_precision(), geocode_cell(integer, integer) TO tracker_api, tracker_worker;

CREATE TABLE geocoding_cache (
    places_precision smallint NOT NULL CONSTRAINT geocoding_cache_precision_range CHECK (places_precision BETWEEN 0 AND 5),
    latitude_cell    integer NOT NULL,
    longitude_cell   integer NOT NULL,
    name             text CONSTRAINT geocoding_cache_name_length CHECK (length(name) <= 300),
    region           text CONSTRAINT geocoding_cache_region_length CHECK (length(region) <= 200),
    country_code     text CONSTRAINT geocoding_cache_country_form CHECK (country_code ~ '^[A-Z]{2}$'),
    provider         text CONSTRAINT geocoding_cache_provider_length CHECK (length(provider) <= 50),
    requested_at     timestamptz NOT NULL DEFAULT now(),
    fetched_at       timestamptz,
    failures         smallint NOT NULL DEFAULT 0,
    next_try_at      timestamptz NOT NULL DEFAULT now(),
    lease_until      timestamptz,
    -- Serves: the name of a position.
    PRIMARY KEY (places_precision, latitude_cell, longitude_cell),
    CONSTRAINT geocoding_cache_cell_on_globe CHECK (latitude_cell BETWEEN -90 * 10 ^ places_precision AND 90 * 10 ^ places_precision
        AND longitude_cell BETWEEN -180 * 10 ^ places_precision AND 180 * 10 ^ places_precision),
    CONSTRAINT geocoding_cache_fetched_by_somebody CHECK ((fetched_at IS NULL) = (provider IS NULL))
);
COMMENT ON TABLE geocoding_cache IS 'Place names by rounded position. A row without fetched_at is wanted: one row per cell, so no cell is asked for twice';
COMMENT ON COLUMN geocoding_cache.name IS 'Nearest town; NULL with fetched_at set when the provider knows none';
COMMENT ON COLUMN geocoding_cache.next_try_at IS 'When a wanted cell may be tried (again)';
-- Serves: the batch geocoder's wanted cells, and the depth of its queue.
CREATE INDEX geocoding_cache_wanted ON geocoding_cache (next_try_at) WHERE fetched_at IS NULL;

CREATE TABLE geocoding_addresses (
    query      text PRIMARY KEY CONSTRAINT geocoding_addresses_query_length CHECK (length(query) BETWEEN 1 AND 500),
    results    jsonb NOT NULL,
    provider   text NOT NULL CONSTRAINT geocoding_addresses_provider_length CHECK (length(provider) <= 50),
    fetched_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE geocoding_addresses IS 'Answers of forward geocoding by normalised query, so that typing does not burden the provider';
-- Serves: the clean-up of old answers.
CREATE INDEX geocoding_addresses_by_age ON geocoding_addresses (fetched_at);

CREATE TABLE geocoding_providers (
    name            text PRIMARY KEY CONSTRAINT geocoding_providers_name_length CHECK (length(name) BETWEEN 1 AND 50),
    next_allowed_at timestamptz NOT NULL DEFAULT now(),
    failures        integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE geocoding_providers IS 'When each provider may be asked next, over all containers: their limits count per user, not per process';

CREATE TABLE places (
    id           bigint PRIMARY KEY,
    name         text NOT NULL CONSTRAINT places_name_length CHECK (length(name) BETWEEN 1 AND 200),
    ascii_name   text NOT NULL CONSTRAINT places_ascii_name_length CHECK (length(ascii_name) <= 200),
    region       text CONSTRAINT places_region_length CHECK (length(region) <= 200),
    country_code text NOT NULL CONSTRAINT places_country_form CHECK (country_code ~ '^[A-Z]{2}$'),
    population   bigint NOT NULL DEFAULT 0,
    position     geography(Point, 4326) NOT NULL
);
COMMENT ON TABLE places IS 'Towns of the world (GeoNames, CC BY 4.0; id is the geonameid) for geocoding without the internet';
-- Serves: the nearest town of a position (ORDER BY position <-> point LIMIT 1).
CREATE INDEX places_by_position ON places USING gist (position);
-- Serves: forward geocoding of a typed town.
CREATE INDEX places_by_name ON places USING gin (ascii_name gin_trgm_ops);

-- Public knowledge: no row security. The cache and the queries show where somebody has been: not for the API.
GRANT SELECT ON places TO tracker_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON places, geocoding_cache, geocoding_addresses, geocoding_providers TO tracker_worker;
GRANT SELECT, INSERT, UPDATE ON geocoding_addresses, geocoding_providers TO tracker_api;

RESET ROLE;
