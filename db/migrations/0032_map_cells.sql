-- The map far out without reading every tracker: how many trackers of each status are in each cell of zoom 12, kept as tracker_counts
-- are: changes are appended, and folded into the sums now and then; the sum of both is exact at any moment.
SET LOCAL ROLE tracker_owner;

CREATE FUNCTION map_cell(key bigint) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (key >> 24)::integer;
COMMENT ON FUNCTION map_cell(bigint) IS 'Web-mercator tile of zoom 12 in Morton order, of a map_key()';

CREATE FUNCTION map_cell_axis(cell integer, axis integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    v integer := (cell >> axis) & 5592405;        -- 0x555555
BEGIN
    v := (v | (v >> 1)) & 3355443;                -- 0x333333
    v := (v | (v >> 2)) & 986895;                 -- 0x0F0F0F
    v := (v | (v >> 4)) & 16711935;               -- 0xFF00FF
    RETURN (v | (v >> 8)) & 65535;
END
$$;
COMMENT ON FUNCTION map_cell_axis(integer, integer) IS 'Column (axis 0) or row (axis 1) of a map_cell(), 0 to 4095';

CREATE TABLE map_cells (
    client_id bigint NOT NULL,
    cell      integer NOT NULL CONSTRAINT map_cells_cell_range CHECK (cell BETWEEN 0 AND 16777215),
    status    tracker_status NOT NULL,
    trackers  bigint NOT NULL,
    x         integer GENERATED ALWAYS AS (map_cell_axis(cell, 0)) STORED,
    y         integer GENERATED ALWAYS AS (map_cell_axis(cell, 1)) STORED,
    -- Serves: the cells of a tile, for a client or for all.
    PRIMARY KEY (client_id, cell, status)
);
COMMENT ON TABLE map_cells IS 'Trackers in use by map cell and status, as far as folded: add the changes';
COMMENT ON COLUMN map_cells.client_id IS '0 for the sum of all clients, which administrators see';
-- Serves: fold_map_cells(), which drops cells that have become empty.
CREATE INDEX map_cells_empty ON map_cells (client_id) WHERE trackers = 0;
CREATE TABLE map_cell_changes (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint NOT NULL,
    cell      integer NOT NULL,
    status    tracker_status NOT NULL,
    change    bigint NOT NULL
);
COMMENT ON TABLE map_cell_changes IS 'Changes of map_cells that are not folded yet';
-- Serves: the map of a client.
CREATE INDEX map_cell_changes_by_client ON map_cell_changes (client_id);
CALL protect('map_cells', row_rule('tenant'), row_rule('admin'), 'SELECT');
CALL protect('map_cell_changes', row_rule('tenant'), row_rule('admin'), 'SELECT');

CREATE FUNCTION map_cells_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO map_cell_changes (client_id, cell, status, change)
    SELECT client_id, map_cell(map_key), status, count(*) FROM added
    WHERE archived_at IS NULL AND map_key IS NOT NULL GROUP BY 1, 2, 3;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION map_cells_insert() IS 'Trigger: new trackers that have a position';
CREATE TRIGGER map_insert AFTER INSERT ON trackers REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION map_cells_insert();

CREATE FUNCTION map_cells_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.archived_at IS NULL AND OLD.map_key IS NOT NULL THEN
        INSERT INTO map_cell_changes (client_id, cell, status, change) VALUES (OLD.client_id, map_cell(OLD.map_key), OLD.status, -1);
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.archived_at IS NULL AND NEW.map_key IS NOT NULL THEN
        INSERT INTO map_cell_changes (client_id, cell, status, change) VALUES (NEW.client_id, map_cell(NEW.map_key), NEW.status, 1);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION map_cells_change() IS 'Trigger: trackers that change their cell, status or being archived, or go';
CREATE TRIGGER map_update AFTER UPDATE OF status, last_latitude, last_longitude, archived_at ON trackers FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR (OLD.map_key >> 24) IS DISTINCT FROM (NEW.map_key >> 24)
          OR (OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL))
    EXECUTE FUNCTION map_cells_change();
CREATE TRIGGER map_delete AFTER DELETE ON trackers FOR EACH ROW EXECUTE FUNCTION map_cells_change();

CREATE FUNCTION fold_map_cells() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    folded bigint;
BEGIN
    WITH moved AS (
        DELETE FROM map_cell_changes RETURNING client_id, cell, status, change
    ), sums AS (
        SELECT coalesce(client_id, 0) AS client_id, cell, status, sum(change) AS change, count(*) AS n FROM moved
        GROUP BY GROUPING SETS ((client_id, cell, status), (cell, status))
    ), upserted AS (
        INSERT INTO map_cells (client_id, cell, status, trackers)
        SELECT client_id, cell, status, change FROM sums WHERE change <> 0 ORDER BY 1, 2, 3
        ON CONFLICT (client_id, cell, status) DO UPDATE SET trackers = map_cells.trackers + excluded.trackers
    )
    SELECT coalesce(sum(n) FILTER (WHERE client_id <> 0), 0) INTO folded FROM sums;
    DELETE FROM map_cells WHERE trackers = 0;
    RETURN folded;
END
$$;
COMMENT ON FUNCTION fold_map_cells() IS 'For the scheduler, every minute: folds the changes into the sums; answers how many there were';
GRANT EXECUTE ON FUNCTION fold_map_cells() TO tracker_worker;
GRANT EXECUTE ON FUNCTION map_cell(bigint), map_cell_axis(integer, integer) TO tracker_api, tracker_worker;

-- What is there already. Locked against writers, whose changes would be counted twice or not at all.
LOCK TABLE trackers IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO map_cell_changes (client_id, cell, status, change)
SELECT client_id, map_cell(map_key), status, count(*) FROM trackers WHERE archived_at IS NULL AND map_key IS NOT NULL GROUP BY 1, 2, 3;
SELECT fold_map_cells();

RESET ROLE;
