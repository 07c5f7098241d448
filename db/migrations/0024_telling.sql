-- Who is to be told of a fact, and finding the facts that last: silent trackers and low batteries.
SET LOCAL ROLE tracker_owner;

CREATE FUNCTION subscribers_of(client bigint, tracker bigint, run bigint, what notification_kind)
RETURNS TABLE (user_id bigint, since timestamptz, silent_days smallint, by_mail boolean)
LANGUAGE sql STABLE AS $$
    SELECT s.user_id, min(s.created_at), min(s.silent_days), bool_or(s.by_mail)
    FROM (SELECT * FROM subscriptions t WHERE t.tracker_id = tracker
          UNION ALL SELECT * FROM subscriptions r WHERE r.production_run_id = run
          UNION ALL SELECT * FROM subscriptions c WHERE c.client_id = client AND c.production_run_id IS NULL AND c.tracker_id IS NULL) s
    JOIN users u ON u.id = s.user_id AND u.archived_at IS NULL
    WHERE s.client_id = client AND what = ANY (s.kinds)
      AND (u.role = 'admin' OR EXISTS (SELECT FROM user_clients m WHERE m.user_id = u.id AND m.client_id = client))
    GROUP BY s.user_id
$$;
COMMENT ON FUNCTION subscribers_of(bigint, bigint, bigint, notification_kind) IS 'Users who want to be told of a kind of fact about a tracker, and may (still) see it: each once, with the first of their subscriptions, the fewest days, and mail if one of them asks for it';
GRANT EXECUTE ON FUNCTION subscribers_of(bigint, bigint, bigint, notification_kind) TO tracker_worker;

-- Serves: facts that last, of trackers that report again or have a new battery; at most one of a tracker.
CREATE UNIQUE INDEX notification_facts_lasting ON notification_facts (kind, tracker_id)
    WHERE upper_inf(visit) AND withdrawn_at IS NULL AND kind IN ('silent', 'battery_low');
-- Serves: trackers whose battery is to be told of.
CREATE INDEX trackers_by_low_battery ON trackers (client_id) WHERE battery IN ('low', 'very_low') AND archived_at IS NULL;

RESET ROLE;
