-- Deliveries whose worker died while it sent them: sent once more, then given up.
SET LOCAL ROLE tracker_owner;

ALTER TABLE deliveries ADD COLUMN unsettled smallint NOT NULL DEFAULT 0 CONSTRAINT deliveries_unsettled_positive CHECK (unsettled >= 0);
COMMENT ON COLUMN deliveries.unsettled IS 'Attempts in a row that began and of whose end nobody knows; 0 when the last one is known to have succeeded or failed';

RESET ROLE;
