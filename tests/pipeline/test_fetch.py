"""Fetching: what is asked for, when it is due again, and what a failure costs whom."""

from __future__ import annotations

import base64
import json
import time

import pytest
from system import fresh_key, profile, report, until


def fetched(system, tracker: int):
    return system.one("SELECT last_fetched_at FROM trackers WHERE id = %s", tracker)


def stored(system, tracker: int) -> int:
    return system.one("SELECT count(*) FROM location_reports WHERE tracker_id = %s", tracker)


def failures(system, tracker: int) -> int:
    return system.one("SELECT fetch_failures FROM trackers WHERE id = %s", tracker)


def rejected(system, tracker: int) -> dict[str, int]:
    return dict(
        system.rows("SELECT reason, sum(reports)::int FROM rejected_reports WHERE tracker_id = %s GROUP BY 1", tracker)
    )


def next_batches(system, n: int = 1) -> list[str]:
    """Results of the next n batches that begin from now on."""
    start = system.one("SELECT coalesce(max(id), 0) FROM fetch_batches")
    return until(
        f"{n} batches",
        lambda: (
            (
                rows := system.rows(
                    "SELECT result FROM fetch_batches WHERE id > %s AND result IS NOT NULL ORDER BY id LIMIT %s",
                    start,
                    n,
                )
            )
            and len(rows) == n
            and [row[0] for row in rows]
        ),
    )


# ---- what comes ----


def test_reports_are_stored_once(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "once")
    for minutes in (5, 60, 600):
        report(sim, "once", minutes)
    until("three reports", lambda: stored(system, tracker) == 3)
    first = fetched(system, tracker)
    until("fetched again", lambda: fetched(system, tracker) > first)
    assert stored(system, tracker) == 3
    row = system.rows(
        "SELECT latitude_e7, longitude_e7, accuracy_m, confidence, key_id IS NOT NULL FROM location_reports"
        " WHERE tracker_id = %s LIMIT 1",
        tracker,
    )[0]
    assert row == (525000000, 134000000, 12, 3, True)
    assert system.one("SELECT sum(reports) FROM report_inbox WHERE tracker_id = %s", tracker) == 3


def test_unusable_reports_count_once_by_reason(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "spoiled")
    for kind in ("bad_tag", "off_curve", "bad_length", "future_timestamp", "out_of_range", "old_timestamp"):
        sim.fault(kind, tag="spoiled", count=1)
    for minutes in range(1, 8):
        report(sim, "spoiled", minutes)
    until("the last report comes through", lambda: stored(system, tracker) >= 1)
    first = fetched(system, tracker)
    until("fetched again", lambda: fetched(system, tracker) > first)
    assert stored(system, tracker) == 7  # what was spoiled on the way came whole the second time
    counts = rejected(system, tracker)
    assert set(counts) <= {"auth", "point", "length", "future", "range", "old"}, counts
    assert sum(counts.values()) == 6, counts


def test_exclusion_areas_flag_reports(system, sim, client_run):
    client, run = client_run
    ring = [[9.9, 49.9], [10.1, 49.9], [10.1, 50.1], [9.9, 50.1], [9.9, 49.9]]
    area = {"client_id": client, "name": "factory", "area": {"type": "Polygon", "coordinates": [ring]}}
    system.call("POST", "/exclusion-areas", 201, json=area)
    tracker, _ = system.add_tracker(client, run, "excluded")
    report(sim, "excluded", 5, latitude=50, longitude=10)
    report(sim, "excluded", 9, latitude=50, longitude=11)
    until("both reports", lambda: stored(system, tracker) == 2)
    assert system.rows(
        "SELECT longitude_e7, excluded FROM location_reports WHERE tracker_id = %s ORDER BY 1", tracker
    ) == [(100000000, True), (110000000, False)]
    assert system.one("SELECT sum(reports) FROM report_inbox WHERE tracker_id = %s", tracker) == 1
    assert rejected(system, tracker) == {"excluded": 1}


def test_a_report_belongs_to_whoever_had_the_key_then(system, sim, client_run):
    """A tag that went to another client: each sees the reports of their own time."""
    client, run = client_run
    before, _ = system.add_tracker(client, run, "handed on")
    system.db.execute(
        "UPDATE tracker_keys SET period = tstzrange(NULL, now() - interval '30 minutes') WHERE tracker_id = %s",
        (before,),
    )
    other_client, other_run = system.add_run("of the next owner")
    after = system.import_tags(other_client, None, [{"name": "taken over", "private_key": fresh_key()}])["taken over"]
    system.db.execute(
        "UPDATE tracker_keys k SET advertisement_key = o.advertisement_key, private_key_sealed = o.private_key_sealed,"
        " master_key_id = o.master_key_id, period = tstzrange(now() - interval '30 minutes', NULL)"
        " FROM tracker_keys o WHERE k.tracker_id = %s AND o.tracker_id = %s",
        (after, before),
    )
    system.call("PATCH", f"/trackers/{after}", json={"production_run_id": other_run})
    for minutes in (5, 10, 50):
        report(sim, "handed on", minutes)
    until("reports of both", lambda: stored(system, before) == 1 and stored(system, after) == 2)


# ---- who is asked for ----


def test_only_runs_in_progress_are_fetched(system, sim, client_run):
    client, run = client_run
    ids = system.import_tags(client, None, [{"name": "without run", "private_key": fresh_key()}])
    assert system.one("SELECT next_fetch_at FROM trackers WHERE id = %s", ids["without run"]) is None
    tracker, _ = system.add_tracker(client, run, "archived")
    until("fetched", lambda: fetched(system, tracker))
    system.call("POST", f"/trackers/{tracker}/archive")
    assert system.one("SELECT next_fetch_at FROM trackers WHERE id = %s", tracker) is None
    last = fetched(system, tracker)
    next_batches(system, 2)
    assert fetched(system, tracker) == last and fetched(system, ids["without run"]) is None


def test_a_new_key_is_asked_for_at_once_and_back_to_the_beginning(system, sim, client_run):
    client, run = client_run
    tracker, _ = system.add_tracker(client, run, "rekeyed")
    until("fetched", lambda: fetched(system, tracker))
    # far from due, so that only the new key can be the reason for the next fetch
    system.db.execute("UPDATE trackers SET next_fetch_at = now() + interval '1 day' WHERE id = %s", (tracker,))
    key = sim.tag(id="second key")["private_key"]
    report(sim, "second key", 60 * 24 * 3)
    donor = system.import_tags(client, None, [{"name": "donor", "private_key": key}])["donor"]
    with system.db.transaction():
        row = system.rows(
            "DELETE FROM tracker_keys WHERE tracker_id = %s RETURNING advertisement_key, private_key_sealed, master_key_id",
            donor,
        )[0]
        system.db.execute(
            "INSERT INTO tracker_keys (client_id, tracker_id, advertisement_key, private_key_sealed, master_key_id)"
            " VALUES (%s, %s, %s, %s, %s)",
            (client, tracker, *row),
        )
    until("the old report of the new key", lambda: stored(system, tracker) == 1)


def test_a_tracker_without_a_usable_key_does_not_stop_the_queue(system, sim, client_run):
    client, run = client_run
    tracker, _ = system.add_tracker(client, run, "damaged")
    system.db.execute(
        "UPDATE tracker_keys SET private_key_sealed = decode(repeat('00', 73), 'hex') WHERE tracker_id = %s", (tracker,)
    )
    system.db.execute("UPDATE trackers SET next_fetch_at = now() - interval '1 day' WHERE id = %s", (tracker,))
    until(
        "put off",
        lambda: system.one("SELECT next_fetch_at > now() + interval '1 hour' FROM trackers WHERE id = %s", tracker),
    )
    assert "tracker key not usable" in system.logs()
    other, _ = system.add_tracker(client, run, "sound")
    until("the next one is fetched", lambda: fetched(system, other))


# ---- failures ----


@pytest.mark.parametrize(
    ("kind", "result"),
    [("503", "server_error"), ("reset", "server_error"), ("not_json", "bad_response"), ("blank_body", "empty")],
)
def test_a_failure_of_the_provider_makes_trackers_back_off(system, sim, client_run, kind, result):
    tracker, _ = system.add_tracker(*client_run, f"fails {kind}")
    until("fetched", lambda: fetched(system, tracker))
    sim.fault(kind, endpoint="fetch")
    until("it counts", lambda: failures(system, tracker) >= 1)
    sim.clear_faults()
    assert result in {row[0] for row in system.rows("SELECT result FROM fetch_batches ORDER BY id DESC LIMIT 5")}
    until("success forgives", lambda: failures(system, tracker) == 0)
    assert system.state(system.account) == "ready"


def test_back_off_doubles(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "doubles")
    until("fetched", lambda: fetched(system, tracker))
    sim.fault("500", endpoint="fetch")
    pauses: dict[int, int] = {}
    sql = "SELECT fetch_failures, round(extract(epoch FROM next_fetch_at - updated_at)) FROM trackers WHERE id = %s AND lease_until IS NULL"

    def look() -> bool:
        for count, pause in system.rows(sql, tracker):
            pauses.setdefault(count, int(pause))
        return max(pauses, default=0) >= 2

    until("two failures", look, pause=0.02)
    assert {n: pauses[n] for n in (1, 2) if n in pauses} == {n: 2**n for n in (1, 2) if n in pauses}


def test_an_empty_list_is_suspicious_when_something_was_heard_lately(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "silenced")
    report(sim, "silenced", 10)
    until("its report", lambda: stored(system, tracker) == 1)
    system.db.execute("UPDATE trackers SET last_report_at = now() WHERE id = %s", (tracker,))  # as the judge does
    sim.fault("empty_list", endpoint="fetch")
    until("not believed", lambda: failures(system, tracker) >= 1)
    system.db.execute("UPDATE trackers SET fetch_failures = 3, next_fetch_at = now() WHERE id = %s", (tracker,))
    until("believed in the end", lambda: failures(system, tracker) == 0)


def test_the_accounts_own_failures_punish_no_tracker(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "innocent")
    until("fetched", lambda: fetched(system, tracker))
    sim.fault("429", endpoint="fetch", count=1, params={"retry_after": 3})
    until("throttled", lambda: "throttled" in next_batches(system))
    waits = system.one(
        "SELECT extract(epoch FROM next_allowed_at - now()) FROM apple_accounts WHERE id = %s", system.account
    )
    assert waits > 1
    sim.call("POST", "/accounts/main@example.com/expire-token")
    until("signed in again", lambda: "signed_in_again" in next_batches(system))
    last = fetched(system, tracker)
    until("fetched again", lambda: fetched(system, tracker) > last)
    assert failures(system, tracker) == 0
    assert system.state(system.account) == "ready"


def test_a_second_factor_parks_the_account_and_a_person_brings_it_back(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "waits for a person")
    until("fetched", lambda: fetched(system, tracker))
    sim.call("PATCH", "/accounts/main@example.com", second_factor="trusted_device")
    sim.call("POST", "/accounts/main@example.com/untrust")
    sim.call("POST", "/accounts/main@example.com/expire-token")
    until("parked", lambda: system.state(system.account) == "second_factor")
    assert failures(system, tracker) == 0
    last = fetched(system, tracker)
    shown = system.call("GET", f"/apple-accounts/{system.account}")
    assert shown["second_factor"]["method"] == "trusted_device" and shown["second_factor"]["code"] == "not_sent"
    path = f"/apple-accounts/{system.account}/second-factor"
    assert system.task(system.start_task(f"{path}/request", method="trusted_device"))["code"] == "sent"
    assert system.task(system.start_task(path, code="000000"))["outcome"] == "bad-code"
    code = sim.code("main@example.com")
    assert system.task(system.start_task(path, code=code))["status"] == "ready"
    until("fetched again", lambda: fetched(system, tracker) > last)
    sealed = system.one("SELECT string_agg(args::text, '') FROM tasks WHERE name = 'account.submit_code'")
    assert code not in sealed and f'"{code}"' not in system.logs()
    sim.call("PATCH", "/accounts/main@example.com", second_factor="none")


# ---- refresh ----


def test_refresh_now_says_what_came(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "wanted")
    until("fetched", lambda: fetched(system, tracker))
    system.db.execute("UPDATE trackers SET next_fetch_at = now() + interval '1 day' WHERE id = %s", (tracker,))
    report(sim, "wanted", 3)
    result = system.task(system.start_task(f"/trackers/{tracker}/refresh"))
    assert result["state"] == "fetched" and result["reports_new"] == 1 and result["fetched_at"]
    assert stored(system, tracker) == 1


def test_refresh_now_works_after_the_run_has_ended_and_does_not_arm_it(system, sim, client_run):
    client, _ = client_run
    tracker, _ = system.add_tracker(client, None, "retired")
    report(sim, "retired", 3)
    result = system.task(system.start_task(f"/trackers/{tracker}/refresh"))
    assert result["state"] == "fetched" and result["reports_new"] == 1
    assert system.one("SELECT next_fetch_at FROM trackers WHERE id = %s", tracker) is None


def test_refresh_now_of_a_tracker_without_keys_fails_and_does_not_arm_it(system, client_run):
    client, _ = client_run
    tracker = system.call("POST", "/trackers", 201, json={"client_id": client, "name": "keyless"})["id"]
    error = system.task(system.start_task(f"/trackers/{tracker}/refresh"), "failed")
    assert "no private key" in json.dumps(error)
    disarmed = "SELECT next_fetch_at IS NULL FROM trackers WHERE id = %s"
    until("out of the queue again", lambda: system.one(disarmed, tracker))


def test_refresh_now_without_an_account_says_that_it_is_first(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "patient")
    until("fetched", lambda: fetched(system, tracker))
    system.call("POST", f"/apple-accounts/{system.account}/disable")
    result = system.task(system.start_task(f"/trackers/{tracker}/refresh"))
    assert result["state"] == "queued" and "next_request_at" not in result
    last = fetched(system, tracker)
    assert system.task(system.start_task(f"/apple-accounts/{system.account}/enable"))["status"] == "ready"
    until("first in the queue", lambda: fetched(system, tracker) > last)


def test_history_refresh_asks_again(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "past")
    report(sim, "past", 60 * 24 * 4)
    until("its report", lambda: stored(system, tracker) == 1)
    system.db.execute("SELECT erase_reports(ARRAY[%s::bigint])", (tracker,))
    assert stored(system, tracker) == 0
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 6 * 86400))
    result = system.task(system.start_task(f"/trackers/{tracker}/history-refresh", **{"from": start}))
    assert result["state"] == "fetched" and result["reports_new"] == 1


# ---- accounts and profiles ----


def test_signing_out_keeps_the_machine(system, sim, client_run):
    account = system.add_account("leaves@example.com", second_factor="trusted_device", sign_in=False)
    path = f"/apple-accounts/{account}"
    assert system.task(system.start_task(f"{path}/sign-in"))["status"] == "needs_code"
    assert system.task(system.start_task(f"{path}/second-factor/request", method="trusted_device"))["code"] == "sent"
    code = sim.code("leaves@example.com")
    assert system.task(system.start_task(f"{path}/second-factor", code=code))["status"] == "ready"
    assert system.call("POST", f"{path}/sign-out")["state"] == "signed_out"
    assert system.one(
        "SELECT session_sealed IS NULL AND anisette_sealed IS NOT NULL FROM apple_accounts WHERE id = %s", account
    )
    assert system.task(system.start_task(f"{path}/sign-in"))["status"] == "ready"  # no code: the machine is known
    system.call("POST", f"{path}/disable")


def test_a_new_password_is_used(system, sim, client_run):
    account = system.add_account("renamed@example.com", password="old password")
    sim.call("PATCH", "/accounts/renamed@example.com", password="new password")
    body = {"username": "renamed@example.com", "password": "wrong"}
    assert system.call("PUT", f"/apple-accounts/{account}/credentials", json=body)["state"] == "signed_out"
    result = system.task(system.start_task(f"/apple-accounts/{account}/sign-in"))
    assert result["outcome"] == "bad-credentials" and system.state(account) == "parked"
    system.call("PUT", f"/apple-accounts/{account}/credentials", json=body | {"password": "new password"})
    assert system.task(system.start_task(f"/apple-accounts/{account}/sign-in"))["status"] == "ready"
    system.call("DELETE", f"/apple-accounts/{account}", 204)


def test_the_active_profile_of_the_database_is_used(system, sim, client_run):
    tracker, _ = system.add_tracker(*client_run, "profiled")
    until("fetched", lambda: fetched(system, tracker))
    before = sum(r["endpoint"] == "fetch.v1" for r in sim.call("GET", "/requests?endpoint=fetch.v1"))
    document = profile(sim) | {"name": "v1"}
    document["fetch"] = document["fetch"] | {"api": "v1"}
    row = system.call("POST", "/provider-profiles", 201, json={"name": "old interface", "document": document})
    system.call("POST", f"/provider-profiles/{row['id']}/activate")
    try:
        until("asked by v1", lambda: len(sim.call("GET", "/requests?endpoint=fetch.v1")) > before)
    finally:
        system.call("POST", f"/provider-profiles/{row['id']}/deactivate")
    bad = {"name": "bad", "document": {"format": 1, "fetch": {"retry": "never"}}}
    answer = system.call("POST", "/provider-profiles", 422, json=bad)
    assert "fetch.retry" in json.dumps(answer)
    system.call("DELETE", f"/provider-profiles/{row['id']}", 204)


def test_answers_are_recorded_and_written_out(system, sim, client_run, tmp_path):
    """By a worker with RECORD_ANSWERS: sealed in the database, opened by the command line, in the form that --replay takes."""
    tracker, _ = system.add_tracker(*client_run, "recorded")
    report(sim, "recorded", 5)
    until("stored", lambda: stored(system, tracker) == 1)
    assert system.one("SELECT count(*) FROM provider_recordings") == 0  # only when asked for
    system.stack.settings["RECORD_ANSWERS"] = "true"
    system.workers.pop().stop()
    system.start_worker("fetch,history")
    del system.stack.settings["RECORD_ANSWERS"]
    newest = (
        "SELECT id FROM provider_recordings WHERE fetch_batch_id IN (SELECT id FROM fetch_batches WHERE result = 'ok')"
    )
    (recording,) = until("recorded", lambda: system.rows(newest + " ORDER BY id DESC LIMIT 1"))[0]

    sealed, key = system.rows("SELECT sealed, master_key_id FROM provider_recordings WHERE id = %s", recording)[0]
    assert b"http" not in sealed and b"Payload" not in sealed and len(key) == 8
    listed = system.stack.run("report", "recordings", login="worker_login").stdout.splitlines()
    line = next(line.split("\t") for line in listed if line.startswith(f"{recording}\t"))
    assert line[2] == str(len(sealed)) and line[4] == "ok"
    shown = system.stack.run("report", "recordings", str(recording), login="worker_login").stdout.splitlines()
    answer = json.loads(shown[-1])
    assert answer["method"] == "POST" and answer["status"] == 200 and b"Payload" in base64.b64decode(answer["body"])
    tape = tmp_path / "tape"
    system.stack.run("report", "recordings", str(recording), "--out", str(tape), login="worker_login")
    assert tape.stat().st_mode & 0o777 == 0o600 and b"Payload" not in tape.read_bytes()
    again = system.stack.run(
        "report", "recordings", str(recording), "--out", str(tape), login="worker_login", check=False
    )
    assert again.returncode == 1 and "cannot create" in again.stderr

    # Old ones go with the hourly clean-up.
    system.workers.pop().stop()
    system.start_worker("fetch,history,default")
    system.db.execute(
        "UPDATE provider_recordings SET recorded_at = now() - interval '8 days' WHERE id = %s", (recording,)
    )
    system.stack.run("tasks", "run", "maintenance.tidy", "--wait", login="worker_login")
    assert not system.rows("SELECT FROM provider_recordings WHERE id = %s", recording)


def test_no_secret_in_the_logs(system):
    logs = system.logs()
    assert logs and "old password" not in logs and "new password" not in logs


def test_an_account_that_cannot_be_opened_keeps_nobody_waiting(system, sim, client_run):
    """As with another master key: the trackers are free at once, the reason is shown, and the account goes on when it is put right."""
    tracker, _ = system.add_tracker(*client_run, "of a sealed account")
    until("fetched", lambda: fetched(system, tracker))
    credentials = system.one("SELECT credentials_sealed FROM apple_accounts WHERE id = %s", system.account)
    damage = "UPDATE apple_accounts SET credentials_sealed = %s WHERE id = %s"
    system.db.execute(damage, (b"\x01" + bytes(100), system.account))
    until("abandoned", lambda: "abandoned" in next_batches(system))
    until("free", lambda: system.one("SELECT lease_until IS NULL FROM trackers WHERE id = %s", tracker), 5)
    shown = system.call("GET", f"/apple-accounts/{system.account}")
    assert shown["state"] == "ready" and shown["state_reason"] and shown["failures"] > 0
    system.db.execute(damage, (credentials, system.account))
    last = fetched(system, tracker)
    until("goes on", lambda: fetched(system, tracker) > last)
    assert failures(system, tracker) == 0
