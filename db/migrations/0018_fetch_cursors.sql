-- How far each key has been asked for, so that a gap fills itself whatever made it.
SET LOCAL ROLE tracker_owner;

ALTER TABLE tracker_keys ADD COLUMN asked_until timestamptz;
COMMENT ON COLUMN tracker_keys.asked_until IS 'Reports of this key up to this time have been asked for; NULL for a key that never was. The next request looks back to it, less an overlap';
GRANT SELECT (asked_until) ON tracker_keys TO tracker_api;

-- Reports of a time that the key was not valid for were left out when they came, so they are asked for again.
CREATE FUNCTION tracker_keys_reopen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.period <@ OLD.period THEN
        RETURN NEW;
    END IF;
    IF tstzrange(lower(NEW.period), NULL) <@ tstzrange(lower(OLD.period), NULL) THEN
        NEW.asked_until := least(NEW.asked_until, upper(OLD.period));
    ELSE
        NEW.asked_until := NULL;
    END IF;
    UPDATE trackers t SET next_fetch_at = now() WHERE t.id = NEW.tracker_id AND t.next_fetch_at > now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION tracker_keys_reopen() IS 'Trigger: a key that becomes valid for more time is asked for again from where that begins';
CREATE TRIGGER reopen BEFORE UPDATE OF period ON tracker_keys FOR EACH ROW
    WHEN (OLD.period IS DISTINCT FROM NEW.period) EXECUTE FUNCTION tracker_keys_reopen();

-- The gap is filled at once and not when the tracker's turn would come. Trackers that are due already, as new ones
-- are, stay untouched, so an import costs nothing here.
CREATE FUNCTION tracker_keys_hasten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE trackers t SET next_fetch_at = now()
    FROM (SELECT DISTINCT tracker_id FROM added) c
    WHERE t.id = c.tracker_id AND t.next_fetch_at > now();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tracker_keys_hasten() IS 'Trigger: a tracker with a new key is due now';
CREATE TRIGGER hasten AFTER INSERT ON tracker_keys REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tracker_keys_hasten();

CREATE OR REPLACE FUNCTION trackers_arm() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.archived_at IS NULL AND EXISTS (
        SELECT FROM production_runs r WHERE r.id = NEW.production_run_id AND r.archived_at IS NULL
            AND r.starts_at <= now() AND (r.ends_at IS NULL OR r.ends_at >= now())) THEN
        NEW.next_fetch_at := coalesce(NEW.next_fetch_at, now());
        -- What it did before the move counts for the new run's beginning: look at once.
        IF TG_OP = 'UPDATE' AND NEW.production_run_id IS DISTINCT FROM OLD.production_run_id THEN
            NEW.next_fetch_at := least(NEW.next_fetch_at, now());
        END IF;
    ELSE
        NEW.next_fetch_at := NULL;
    END IF;
    RETURN NEW;
END
$$;

-- Trackers at the head: somebody waits for them. Any time before this is "now, and first".
CREATE FUNCTION fetch_first() RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN timestamptz '2000-01-01 00:00:00Z';
COMMENT ON FUNCTION fetch_first() IS 'next_fetch_at of a tracker that somebody waits for: due before all that are only late';

CREATE FUNCTION refresh_tracker(tracker bigint, since timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF since IS NOT NULL THEN
        UPDATE tracker_keys k SET asked_until = since
        WHERE k.tracker_id = tracker AND k.asked_until > since AND k.period && tstzrange(since, NULL);
    END IF;
    UPDATE trackers t SET next_fetch_at = fetch_first() WHERE t.id = tracker AND t.archived_at IS NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION refresh_tracker(bigint, timestamptz) IS
    'Puts a tracker at the head of the fetch queue, to be asked for again from a time on when one is given; false when there is none';
GRANT EXECUTE ON FUNCTION fetch_first(), refresh_tracker(bigint, timestamptz) TO tracker_worker;

RESET ROLE;
