-- What the judge asks of places: which ones are near a report, and how far their edge is.
SET LOCAL ROLE tracker_owner;

-- ------------------------------------------------------------------ distance to the edge

CREATE FUNCTION fence_distance(center geography, radius_m double precision, polygon geography, point geography) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN polygon IS NULL THEN ST_Distance(center, point) - radius_m
            WHEN ST_Covers(polygon, point) THEN -ST_Distance(ST_Boundary(polygon::geometry)::geography, point)
            ELSE ST_Distance(polygon, point) END;
COMMENT ON FUNCTION fence_distance(geography, double precision, geography, geography) IS
    'Metres from a position to the edge of a circle or polygon, negative inside; geodesic';

CREATE FUNCTION place_distance(location bigint, at timestamptz, latitude double precision, longitude double precision) RETURNS double precision
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT fence_distance(s.center, s.radius_m, s.polygon, ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)::geography)
        FROM location_shapes s WHERE s.location_id = location AND s.period @> at);
COMMENT ON FUNCTION place_distance(bigint, timestamptz, double precision, double precision) IS
    'The same for the shape that a place had at a time; NULL when it had none';

-- ------------------------------------------------------------------ places near a report

-- The box holds the circle (fence is only its centre) and the hysteresis. Geocentric boxes know neither antimeridian
-- nor poles.
ALTER TABLE location_shapes ADD COLUMN reach geography GENERATED ALWAYS AS (
    _ST_Expand(coalesce(polygon::geometry, center::geometry)::geography, coalesce(radius_m, 0) + coalesce(hysteresis_m, 25))) STORED;
COMMENT ON COLUMN location_shapes.reach IS 'Its bounding box is that of the place and its hysteresis. A report with another box of its accuracy that does not meet it is outside';
-- Serves: the judge's "places of the client near this report": however many places a run has, few are looked at.
CREATE INDEX location_shapes_by_reach ON location_shapes USING gist (client_id, reach);

-- ------------------------------------------------------------------ judge again

-- Statuses were to be resumed from a stored state. They are resumed from the derived rows themselves, which cannot
-- contradict them.
DROP TRIGGER touch ON trackers;
ALTER TABLE trackers DROP COLUMN judge_state;
CALL versioned('trackers', ARRAY['lease_owner', 'lease_until', 'place_due']);

CREATE TRIGGER replay_release AFTER UPDATE OF release_at ON production_runs
    FOR EACH ROW WHEN (OLD.release_at IS DISTINCT FROM NEW.release_at)
    EXECUTE FUNCTION request_replay('place', 'run');

GRANT EXECUTE ON FUNCTION fence_distance(geography, double precision, geography, geography),
    place_distance(bigint, timestamptz, double precision, double precision) TO tracker_api, tracker_worker;

RESET ROLE;
