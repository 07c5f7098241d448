"""Trackers with more keys than one request takes: rolling accessories, and tags with hundreds of static keys."""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import hashlib
import os
import time
from datetime import UTC, datetime

from findmy_sim import crypto
from system import report, until

KEY_ID, NONCE = 4, 24


def seal(master_key: str, context: str, plain: bytes) -> bytes:
    """A sealed value as src/base/seal.h describes it."""
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
    master = base64.b64decode(master_key)
    nonce = os.urandom(NONCE)
    box = ctypes.create_string_buffer(len(plain) + 16)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        box,
        None,
        plain,
        ctypes.c_ulonglong(len(plain)),
        context.encode(),
        ctypes.c_ulonglong(len(context)),
        None,
        nonce,
        master,
    )
    return b"\x01" + hashlib.blake2b(master, digest_size=32).digest()[:KEY_ID] + nonce + box.raw


def tracker_row(system, client: int, run: int, name: str) -> int:
    body = {"client_id": client, "production_run_id": run, "name": name}
    return system.call("POST", "/trackers", 201, json=body)["id"]


def stored(system, tracker: int) -> int:
    return system.one("SELECT count(*) FROM location_reports WHERE tracker_id = %s", tracker)


def test_a_rolling_accessory_is_asked_for_slot_by_slot(system, sim, client_run):
    """A week of slots needs several requests; afterwards one is enough, and the alignment follows the tag."""
    master, skn, sks = b"\x01" + os.urandom(27), os.urandom(32), os.urandom(32)
    paired = int(time.time()) - 10 * 86400
    text = {
        name: base64.b64encode(value).decode() for name, value in (("master_key", master), ("skn", skn), ("sks", sks))
    }
    sim.call(
        "POST", "/tags", id="paired", accessory=text | {"paired_at": paired}, position={"latitude": 52, "longitude": 13}
    )
    # One in four quarters of an hour shows a primary key, and only those tell the slot.
    seen = (10, 25, 40, 55, 60 * 24 * 3, 60 * 24 * 6)
    for minutes in seen:
        report(sim, "paired", minutes)
    client, run = client_run
    accessory = {"type": "accessory", "name": "paired", "paired_at": datetime.fromtimestamp(paired, UTC).isoformat()}
    accessory |= {"master_key": master.hex(), "skn": skn.hex(), "sks": sks.hex()}
    path = f"/trackers/import?client_id={client}&production_run_id={run}"
    assert system.call("POST", path, json=accessory)["keys"] == 1
    tracker = system.one("SELECT id FROM trackers WHERE client_id = %s", client)
    until("the whole week", lambda: stored(system, tracker) == len(seen))
    until("fetched whole", lambda: system.one("SELECT last_fetched_at FROM trackers WHERE id = %s", tracker))
    index, slots_ago = system.rows(
        "SELECT alignment_index, extract(epoch FROM now() - alignment_at) / 900 FROM tracker_keys WHERE tracker_id = %s",
        tracker,
    )[0]
    assert 0 <= slots_ago < 6 and abs(index - (time.time() - paired) / 900) < 6
    batches = system.rows("SELECT key_ids FROM fetch_batches ORDER BY id DESC LIMIT 30")
    assert max(row[0] for row in batches) > 200 and all(row[0] <= 256 for row in batches)
    system.call("POST", f"/trackers/{tracker}/archive")


def test_hundreds_of_static_keys_take_turns(system, sim, client_run):
    """300 keys of one tracker: asked for in parts, those asked for longest ago first, and nobody else waits for them."""
    client, run = client_run
    tracker = tracker_row(system, client, run, "many keys")
    keys = [b"\x01" + os.urandom(27) for _ in range(300)]
    for private in keys:
        public = crypto.advertisement_key(private)
        context = f"tracker_key:{hashlib.sha256(public).hexdigest()}"
        system.db.execute(
            "INSERT INTO tracker_keys (client_id, tracker_id, advertisement_key, private_key_sealed, master_key_id)"
            " VALUES (%s, %s, %s, %s, 'k')",
            (client, tracker, public, seal(system.stack.master_key, context, private)),
        )
    for number, private in (("first", keys[0]), ("last", keys[-1])):
        sim.call(
            "POST",
            "/tags",
            id=number,
            private_key=base64.b64encode(private).decode(),
            position={"latitude": 52, "longitude": 13},
        )
        report(sim, number, 5 if number == "first" else 7)
    other, _ = system.add_tracker(client, run, "beside")
    until("reports of both ends", lambda: stored(system, tracker) == 2)
    until(
        "every key was asked for",
        lambda: system.one("SELECT bool_and(asked_until IS NOT NULL) FROM tracker_keys WHERE tracker_id = %s", tracker),
    )
    until("it counts as fetched", lambda: system.one("SELECT last_fetched_at FROM trackers WHERE id = %s", tracker))
    until("the other, too", lambda: system.one("SELECT last_fetched_at FROM trackers WHERE id = %s", other))
    system.call("POST", f"/trackers/{tracker}/archive")
