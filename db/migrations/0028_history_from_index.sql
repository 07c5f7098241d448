-- The raw history of a tracker from the index alone: its reports lie on a page each, among those of all other trackers that reported at
-- the time, so that a large table costs a read for every report. Native form only: in TimescaleDB's, compression lays them together.
-- Locks location_reports while the index is built anew; on a large table run it when nothing is fetched.
SET LOCAL ROLE tracker_owner;

DO $$
BEGIN
    IF (SELECT value FROM schema_info WHERE key = 'timeseries_form') = 'native' THEN
        ALTER TABLE location_reports DROP CONSTRAINT location_reports_pkey,
            ADD CONSTRAINT location_reports_pkey PRIMARY KEY (tracker_id, reported_at, latitude_e7, longitude_e7)
            INCLUDE (accuracy_m, confidence, excluded);
    END IF;
END
$$;

RESET ROLE;
