-- Geocoding at work: towns by any of their names, which positions want a name, and trackers that wait for one.
SET LOCAL ROLE tracker_owner;

-- ------------------------------------------------------------------ the gazetteer

ALTER TABLE places
    ADD COLUMN is_section boolean NOT NULL DEFAULT false,
    ADD COLUMN other_names text NOT NULL DEFAULT '' CONSTRAINT places_other_names_length CHECK (length(other_names) <= 10000),
    ADD COLUMN words tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, name || ' ' || ascii_name || ' ' || other_names)) STORED;
COMMENT ON COLUMN places.is_section IS 'A part of a town: found when it is typed, but no position is named after it';
COMMENT ON COLUMN places.other_names IS 'Names in other languages and spellings, separated by commas';
COMMENT ON COLUMN places.words IS 'The words of all names, so that München finds Munich';
-- Serves: forward geocoding of a typed town, in any language, by whole words or the beginning of the last one.
CREATE INDEX places_by_words ON places USING gin (words);
-- Fuzzy search over one spelling found less, and was twice as slow to build.
DROP INDEX places_by_name;
-- Serves: the nearest town of a position.
CREATE INDEX places_towns_by_position ON places USING gist (position) WHERE NOT is_section;
DROP INDEX places_by_position;

CREATE FUNCTION nearest_place(latitude double precision, longitude double precision)
RETURNS TABLE (name text, region text, country_code text) LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT n.name, n.region, n.country_code FROM (
        SELECT p.name, p.region, p.country_code, p.position FROM places p WHERE NOT p.is_section
        ORDER BY p.position <-> ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)::geography LIMIT 1) n
    -- Farther from any town than this, a town's name would mislead: the sea, a desert.
    WHERE ST_DWithin(n.position, ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)::geography, 50000)
$$;
COMMENT ON FUNCTION nearest_place(double precision, double precision) IS 'The nearest town within 50 km; no row when there is none';
GRANT EXECUTE ON FUNCTION nearest_place(double precision, double precision) TO tracker_api, tracker_worker;

-- ------------------------------------------------------------------ which cells are wanted

-- Whoever settles entries of the history's dirty log, in either form of the time series, asks in the same
-- transaction for the names of all positions of those days: no position is forgotten, and storing costs nothing.
CREATE FUNCTION want_place_names() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET jit = off AS $$
DECLARE
    digits constant integer := geocode_precision();
BEGIN
    -- In the order of the key, so that two writers of the same cells do not deadlock.
    INSERT INTO geocoding_cache (places_precision, latitude_cell, longitude_cell)
    SELECT DISTINCT digits, geocode_cell(l.latitude_e7, digits), geocode_cell(l.longitude_e7, digits)
    FROM (SELECT DISTINCT s.tracker_id, s.day FROM settled s) k
    CROSS JOIN LATERAL (
        SELECT r.latitude_e7, r.longitude_e7 FROM location_reports r
        WHERE r.tracker_id = k.tracker_id AND r.reported_at >= k.day AND r.reported_at < k.day + interval '1 day' AND NOT r.excluded) l
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION want_place_names() IS 'Trigger: asks for the place names of the reports of settled days';
CREATE TRIGGER want_place_names AFTER DELETE ON agg_dirty REFERENCING OLD TABLE AS settled
    FOR EACH STATEMENT EXECUTE FUNCTION want_place_names();

-- ------------------------------------------------------------------ names of trackers' positions

ALTER TABLE trackers ADD COLUMN place_due boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN trackers.place_due IS 'The last position waits for its name. Kept by the trigger name_position and the geocoder';
-- Serves: the geocoder's "trackers that wait for a name".
CREATE INDEX trackers_place_due ON trackers (id) WHERE place_due;
CALL versioned('trackers', ARRAY['lease_owner', 'lease_until', 'place_due']);

CREATE FUNCTION name_position() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    digits constant integer := geocode_precision();
    known record;
BEGIN
    NEW.last_place := NULL;
    NEW.place_due := NEW.last_latitude IS NOT NULL;
    IF NEW.place_due THEN
        SELECT g.name, g.fetched_at INTO known FROM geocoding_cache g
        WHERE g.places_precision = digits AND g.latitude_cell = geocode_cell(round(NEW.last_latitude * 1e7)::integer, digits)
              AND g.longitude_cell = geocode_cell(round(NEW.last_longitude * 1e7)::integer, digits);
        NEW.last_place := known.name;
        NEW.place_due := known.fetched_at IS NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION name_position() IS 'Trigger: a tracker that moves takes the name of its position from the cache, or is due for the geocoder';
CREATE TRIGGER name_position BEFORE UPDATE OF last_latitude, last_longitude ON trackers FOR EACH ROW
    WHEN (NEW.last_latitude IS DISTINCT FROM OLD.last_latitude OR NEW.last_longitude IS DISTINCT FROM OLD.last_longitude)
    EXECUTE FUNCTION name_position();
CREATE TRIGGER name_first_position BEFORE INSERT ON trackers FOR EACH ROW
    WHEN (NEW.last_latitude IS NOT NULL) EXECUTE FUNCTION name_position();
UPDATE trackers SET place_due = true WHERE last_latitude IS NOT NULL;

CREATE FUNCTION set_geocode_precision(digits integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE schema_info SET value = digits::text WHERE key = 'geocode_precision' AND value <> digits::text;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO geocoding_cache (places_precision, latitude_cell, longitude_cell)
    SELECT DISTINCT digits, geocode_cell(h.best_latitude_e7, digits), geocode_cell(h.best_longitude_e7, digits)
    FROM history_hourly h ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
    UPDATE trackers SET place_due = true WHERE last_latitude IS NOT NULL;
    RETURN true;
END
$$;
COMMENT ON FUNCTION set_geocode_precision(integer) IS
    'Changes the size of the cells and asks anew for the names of all history and trackers; true when it was another one. Names of the old size stay in the cache';
GRANT EXECUTE ON FUNCTION set_geocode_precision(integer) TO tracker_worker;

COMMENT ON TABLE geocoding_addresses IS
    'Answers of forward geocoding by normalised query, and of reverse geocoding asked for through the API ("@latitude,longitude"), so that typing and clicking do not burden the provider';

RESET ROLE;
