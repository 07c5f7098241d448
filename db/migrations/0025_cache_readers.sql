-- Processes that answer from memory, so that writers know whom to tell.
SET LOCAL ROLE tracker_owner;

CREATE TABLE cache_readers (
    id    text PRIMARY KEY CONSTRAINT cache_readers_id_form CHECK (id ~ '^[0-9a-f]{32}$'),
    until timestamptz NOT NULL
);
COMMENT ON TABLE cache_readers IS 'Processes that keep answers in memory. Each renews its row; who writes waits until all of them have forgotten what they knew (src/store/settle.h)';
COMMENT ON COLUMN cache_readers.until IS 'A process whose time has passed has stopped using its memory before, by its own clock';
CALL protect('cache_readers', $$(SELECT app_role()) = 'auth'$$, $$(SELECT app_role()) = 'auth'$$, 'SELECT, INSERT, UPDATE, DELETE');

RESET ROLE;
