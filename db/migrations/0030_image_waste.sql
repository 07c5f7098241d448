-- Files of images that nobody shows (any more): however a row goes, and wherever an upload breaks off, its files are found and deleted.
SET LOCAL ROLE tracker_owner;

CREATE TABLE image_waste (
    storage_key text PRIMARY KEY CONSTRAINT image_waste_storage_key_length CHECK (length(storage_key) BETWEEN 1 AND 300),
    delete_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE image_waste IS 'Files to be deleted by the duty images.clean: of images that are gone, and of uploads until their row is there';
COMMENT ON COLUMN image_waste.delete_at IS 'Not before: an upload may still be under way';
-- Serves: what is due.
CREATE INDEX image_waste_due ON image_waste (delete_at);
CALL protect('image_waste', row_rule('admin'), NULL, '');

-- What the API may do with it: by key, which is random and which only the caller who made it or deleted its row knows.
CREATE FUNCTION expect_image(key text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO image_waste (storage_key, delete_at) VALUES (key, now() + interval '1 hour')
$$;
COMMENT ON FUNCTION expect_image(text) IS 'Before an upload writes files: they are waste unless a row of images names the key within an hour';
CREATE FUNCTION forget_image_waste(key text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM image_waste WHERE storage_key = key
$$;
COMMENT ON FUNCTION forget_image_waste(text) IS 'The files of the key are deleted';
REVOKE EXECUTE ON FUNCTION expect_image(text), forget_image_waste(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expect_image(text), forget_image_waste(text) TO tracker_api;

CREATE FUNCTION keep_image_waste() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO image_waste (storage_key) VALUES (OLD.storage_key) ON CONFLICT (storage_key) DO NOTHING;
    ELSE
        DELETE FROM image_waste WHERE storage_key = NEW.storage_key;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION keep_image_waste() IS 'Trigger: the files of a row that goes are waste, those of one that comes are not';
CREATE TRIGGER waste AFTER INSERT OR DELETE ON images FOR EACH ROW EXECUTE FUNCTION keep_image_waste();

RESET ROLE;
