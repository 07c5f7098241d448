-- What reading the pipeline's results needs beyond the tables: lean positions, lists for admins.
SET LOCAL ROLE tracker_owner;

CREATE VIEW tracker_positions WITH (security_invoker = true) AS
SELECT id, client_id, production_run_id, name, status, location_id, last_report_at, last_latitude, last_longitude, last_accuracy_m,
       last_place, battery, map_key
FROM trackers WHERE archived_at IS NULL AND map_key IS NOT NULL;
COMMENT ON VIEW tracker_positions IS 'Newest position of each tracker in use that has one';
GRANT SELECT ON tracker_positions TO tracker_api;

-- Serve: the lists of an admin, who names no client.
CREATE INDEX status_history_all ON status_history (since, id);
CREATE INDEX tracker_exceptions_all ON tracker_exceptions (since, id) WHERE ended_at IS NULL;

RESET ROLE;
