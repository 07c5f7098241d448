"""Vectors of keys: static and rolling derivation, advertisements, key files."""

from __future__ import annotations

import json
import plistlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from findmy_sim import crypto
from findmy_sim.clock import format_time, parse_time
from findmy_sim.rolling import SLOT_SECONDS, Alignment, KeyChain, secondary_candidates
from findmy_sim.vectors.frame import Case, b64, case, draw, draw_private, file_of, search_private

RANDOM_KEYS = 80
N = crypto.GROUP_ORDER


def keys() -> dict[str, Any]:
    """Private key -> advertisement key -> hash -> MAC."""
    special = {
        "one": (1).to_bytes(28, "big"),
        "two": (2).to_bytes(28, "big"),
        "top": (N - 1).to_bytes(28, "big"),
        "half": (N // 2).to_bytes(28, "big"),
        "short-private": b"\0\0" + draw("short private", 26),
        "adv-lead0": search_private("adv lead 0", lambda adv: adv[0] == 0),
        "hash-slash": search_private("hash slash", lambda adv: crypto.report_id(adv).startswith("/")),
        "hash-lead0": search_private("hash lead 0", lambda adv: crypto.hash_key(adv)[0] == 0),
    }
    for bits in range(4):
        special[f"top-bits-{bits}"] = search_private(f"top bits {bits}", _top_bits(bits))
    cases = [_key_case(name, private) for name, private in special.items()]
    cases += [_key_case(f"random-{n:03d}", draw_private(f"key {n}")) for n in range(RANDOM_KEYS)]
    notes = [
        "private_hex: 28-byte big-endian scalar d on secp224r1.",
        "adv = X of d*G, 28 bytes, left-padded with zeros.",
        "hashed_b64 = standard base64 of SHA-256(adv); this is the id asked of the report server.",
        "mac = adv[0] with its top two bits set, then adv[1..5].",
    ]
    return file_of("keys.json", "Static key derivation: private key -> advertisement key -> hash -> MAC", notes, cases)


def _top_bits(bits: int) -> Callable[[bytes], bool]:
    """Whether an advertisement key has these two bits on top."""
    return lambda adv: adv[0] >> 6 == bits


def _key_case(name: str, private: bytes) -> Case:
    point = crypto.point_of(private)
    adv, y = point[1:29], point[29:]
    return case(
        name,
        private_hex=private.hex(),
        private_b64=b64(private),
        adv_hex=adv.hex(),
        adv_b64=b64(adv),
        y_hex=y.hex(),
        hashed_b64=crypto.report_id(adv),
        mac=crypto.mac_address(adv),
    )


def keys_invalid() -> dict[str, Any]:
    """Keys to refuse."""
    good = draw_private("invalid base")
    rows = [
        ("zero", "base64", b64(bytes(28)), "private key 0"),
        ("order", "base64", b64(N.to_bytes(28, "big")), "private key equal to the group order"),
        ("order-plus-one", "base64", b64((N + 1).to_bytes(28, "big")), "private key above the group order"),
        ("all-ones", "hex", "ff" * 28, "private key above the group order"),
        ("zero-hex", "hex", "00" * 28, "private key 0"),
        ("bytes-26", "base64", b64(good[:26]), "26 bytes"),
        ("bytes-29", "base64", b64(good + b"\1"), "29 bytes"),
        ("bytes-57", "base64", b64(crypto.point_of(good)), "57 bytes: a public point"),
        ("empty", "base64", "", "nothing"),
        ("bad-character", "base64", "!" + b64(good)[1:], "a character outside the alphabet"),
        ("hex-odd", "hex", good.hex()[:-1], "55 hex digits"),
        ("hex-bad-digit", "hex", "g" + good.hex()[1:], "not hex digits"),
    ]
    cases = [case(name, encoding=form, text=text, expect="reject", why=why) for name, form, text, why in rows]
    return file_of(
        "keys-invalid.json", "Keys to refuse", ["A refused key must name the reason and must not be stored."], cases
    )


def advertisements() -> dict[str, Any]:
    """Advertisement key -> BLE advertisement and back."""
    cases = []
    for n in range(16):
        status, hint = (0x00, 0x20, 0x60, 0xA0, 0xE0, 0x10, 0x90, 0xFF)[n % 8], (0, 0, 7, 255)[n % 4]
        private = search_private(f"adv {n}", _top_bits(n % 4))
        cases.append(_adv_case(f"sim-{n:02d}", crypto.advertisement_key(private), status, hint))
    lead0 = crypto.advertisement_key(search_private("adv lead 0", lambda adv: adv[0] == 0))
    cases.append(_adv_case("lead0", lead0, 0, 0))
    for n, (status, bits, hint) in enumerate([(0x20, 2, 9), (0x00, 3, 0)]):
        tail = draw(f"parse only {n}", 22)
        data = bytes([0x4C, 0, 0x12, 0x19, status]) + tail + bytes([bits, hint])
        expect = {"type": 18, "len": 25, "status": status, "adv_tail_hex": tail.hex(), "key_bits": bits, "hint": hint}
        cases.append(case(f"parse-{n}", parse_only=True, manufacturer_data_hex=data.hex(), expect=expect))
    notes = [
        "ad_hex is the whole 31-byte advertising payload; manufacturer_data_hex lacks its first two bytes.",
        "nearby_hex is the short form: type 0x12, length 2, status, key bits.",
        "The way back from mac and payload must give adv_hex again; parse_only cases have no address.",
    ]
    return file_of("adv.json", "Advertisement key -> BLE address and advertisement, and the way back", notes, cases)


def _adv_case(name: str, adv: bytes, status: int, hint: int) -> Case:
    ad = crypto.advertisement(adv, status, hint)
    return case(
        name,
        adv_hex=adv.hex(),
        hashed_b64=crypto.report_id(adv),
        mac=crypto.mac_address(adv),
        status=status,
        hint=hint,
        ad_hex=ad.hex(),
        manufacturer_data_hex=ad[2:].hex(),
        nearby_hex=crypto.nearby_advertisement(adv, status).hex(),
    )


# --- rolling keys -----------------------------------------------------------------------------------


def rolling() -> dict[str, Any]:
    """Rolling keys of accessories."""
    cases: list[Case] = []
    wanted = {"primary": (0, 1, 2, 3, 95, 96, 97, 670, 671, 672, 673, 2000), "secondary": (0, 1, 2, 3, 7, 30, 365)}
    for owner in ("gamma", "delta"):
        master = draw_private(f"rolling {owner}")
        for stream, indices in wanted.items():
            seed = draw(f"rolling {owner} {stream}", 32)
            chain = KeyChain(master, seed)
            cases += [_rolling_case(f"{owner}-{stream}-{i}", stream, master, seed, chain, i) for i in indices]
    for index in (-96, -1, 0, 1, 94, 95, 96, 191, 192, 193, 671, 672, 35_039, 35_040):
        primary = [index] if index >= 0 else []
        expect = {"primary": primary, "secondary": secondary_candidates(index)}
        cases.append(case(f"candidates-{index}", kind="candidates", primary_index=index, expect=expect))
    notes = [
        "Index 0 is the shared secret as stored in the pairing record; index i has i updates behind it.",
        'sk(i+1) = X963(sk(i), "update", 32); u|v = X963(sk(i), "diversify", 72); both mod (n-1), plus 1; '
        "private(i) = (u*master + v) mod n.",
        "kind candidates: which primary and secondary indices to ask for at a given primary index.",
    ]
    return file_of("rolling.json", "Rolling keys of paired accessories", notes, cases)


def _rolling_case(name: str, stream: str, master: bytes, seed: bytes, chain: KeyChain, index: int) -> Case:
    key = chain.derive(index)
    return case(
        name,
        kind="key",
        stream=stream,
        master_hex=master.hex(),
        initial_sk_hex=seed.hex(),
        expect={
            "index": index,
            "sk_hex": key.secret.hex(),
            "u_hex": f"{key.u:056x}",
            "v_hex": f"{key.v:056x}",
            "private_hex": key.private.hex(),
            "adv_hex": key.adv.hex(),
            "hashed_b64": crypto.report_id(key.adv),
        },
    )


def alignment() -> dict[str, Any]:
    """Which indices an accessory may be at."""
    date, index = "2026-03-29T01:30:00Z", 4242
    base = parse_time(date)
    cases = []
    for label, delta in (
        ("now", 0),
        ("second-before-slot", SLOT_SECONDS - 1),
        ("one-slot", SLOT_SECONDS),
        ("one-day", 86_400),
        ("a-year", 365 * 86_400),
        ("back-a-second", -1),
        ("back-one-slot", -SLOT_SECONDS),
        ("back-a-week", -7 * 86_400),
    ):
        cases.append(_range_case(label, date, index, format_time(base + delta)))
    cases.append(_range_case("other-zone", "2026-03-29T07:00:00+05:30", index, "2026-03-29T02:00:00Z"))
    observations = {
        "forward": [("2026-03-29T02:30:00Z", 4250)],
        "same-moment-same-index": [(date, index)],
        "date-back": [("2026-03-29T01:29:59Z", 4300)],
        "index-back": [("2026-03-30T00:00:00Z", 4241)],
        "mixed": [("2026-03-29T03:30:00Z", 4248), ("2026-03-29T03:00:00Z", 4249), ("2026-03-29T05:00:00Z", 4247)],
    }
    cases += [_update_case(f"update-{name}", date, index, rows) for name, rows in observations.items()]
    notes = [
        "One slot is 15 minutes; a negative index stands for no key.",
        "update: an observation is taken only if neither its date nor its index goes backwards.",
    ]
    return file_of("alignment.json", "Which key indices a tag may be using at a moment", notes, cases)


def _range_case(name: str, date: str, index: int, at: str) -> Case:
    low, high = Alignment(int(parse_time(date)), index).bounds(int(parse_time(at)))
    expect = {"min_index": low, "max_index": high}
    return case(name, kind="range", alignment_date=date, alignment_index=index, at=at, expect=expect)


def _update_case(name: str, date: str, index: int, rows: list[tuple[str, int]]) -> Case:
    state = Alignment(int(parse_time(date)), index)
    for at, observed in rows:
        state.observe(int(parse_time(at)), observed)
    return case(
        name,
        kind="update",
        alignment_date=date,
        alignment_index=index,
        observations=[{"at": at, "index": observed} for at, observed in rows],
        expect={"alignment_date": format_time(state.date), "alignment_index": state.index},
    )


# --- key files --------------------------------------------------------------------------------------


def keyfiles() -> dict[str, Any]:
    """Imports of key files."""
    notes = [
        "format: keys-text, bare-lines, devices-json, findmypy-json, accessory-plist, alignment-plist, "
        "openhaystack-plist, keyfile-bin.",
        "Rules on doubles, all-or-nothing and padding are the project's policy; the layouts are facts.",
        "plist dates carry no zone and are UTC.",
    ]
    cases = [*_text_cases(), *_device_cases(), *_findmypy_cases(), *_plist_cases(), _binary_case()]
    return file_of("keyfiles.json", "Key files of other programs", notes, cases)


def _entry(private: bytes, **more: Any) -> dict[str, Any]:
    adv = crypto.advertisement_key(private)
    return {"private_hex": private.hex(), "adv_hex": adv.hex(), "hashed_b64": crypto.report_id(adv), **more}


def _triple(private: bytes, end: str = "\n") -> str:
    adv = crypto.advertisement_key(private)
    lines = (
        f"Private key: {b64(private)}",
        f"Advertisement key: {b64(adv)}",
        f"Hashed adv key: {crypto.report_id(adv)}",
    )
    return "".join(line + end for line in lines)


def _file(name: str, form: str, text: str, expect: dict[str, Any], note: str = "") -> Case:
    return case(name, format=form, text=text, expect=expect, **({"note": note} if note else {}))


def _ok(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"result": "ok", "keys": list(entries)}


def _no(why: str) -> dict[str, Any]:
    return {"result": "reject", "why": why}


def _text_cases() -> list[Case]:
    a, b, c = (draw_private(f"file key {n}") for n in range(3))
    adv_b = b64(crypto.advertisement_key(b))
    swapped = "\n".join(reversed(_triple(a).splitlines())) + "\n"
    wrong_adv = f"Private key: {b64(a)}\nAdvertisement key: {adv_b}\n"
    return [
        _file("text-one", "keys-text", _triple(a), _ok(_entry(a))),
        _file("text-three", "keys-text", _triple(a) + _triple(b) + _triple(c), _ok(*map(_entry, (a, b, c)))),
        _file("text-crlf", "keys-text", _triple(b, " \r\n"), _ok(_entry(b)), "CRLF and trailing blanks"),
        _file("text-order", "keys-text", swapped, _ok(_entry(a)), "the three lines in another order"),
        _file("text-wrong-adv", "keys-text", wrong_adv, _no("the advertisement key is not the private key's")),
        _file("bare-hex", "bare-lines", f"{a.hex()}\n{b.hex()}\n", _ok(_entry(a), _entry(b))),
        _file("bare-mixed", "bare-lines", f"# two\n{b64(a)}\n\n{c.hex()}\n", _ok(_entry(a), _entry(c))),
    ]


def _device(number: int, name: str, private: bytes, additional: list[bytes]) -> dict[str, Any]:
    return {
        "id": number,
        "colorComponents": [0, 1, 0, 1],
        "name": name,
        "privateKey": b64(private),
        "icon": "",
        "isActive": True,
        "additionalKeys": [b64(key) for key in additional],
    }


def _device_cases() -> list[Case]:
    a, b, c = (draw_private(f"device key {n}") for n in range(3))
    two = json.dumps([_device(1, "Regal 1", a, []), _device(2, "Ö-Regal 2", b, [c])], ensure_ascii=False)
    bad = json.dumps([_device(1, "good", a, []), {**_device(2, "bad", b, []), "privateKey": "c2hvcnQ="}])
    expect = _ok(
        _entry(a, name="Regal 1", role="main"),
        _entry(b, name="Ö-Regal 2", role="main"),
        _entry(c, name="Ö-Regal 2", role="additional"),
    )
    return [
        _file("devices", "devices-json", two, expect),
        _file("devices-one-bad", "devices-json", bad, _no("the second record's key is too short; nothing is taken")),
        _file("devices-not-json", "devices-json", "[{", _no("not JSON")),
    ]


def _findmypy_cases() -> list[Case]:
    a, b = (draw_private(f"findmypy key {n}") for n in range(2))
    pair = {"type": "keypair", "private_key": b64(a), "key_type": 1, "name": "pair"}
    custom = {"type": "custom_rolling_key_accessory", "private_keys": [a.hex(), b.hex()], "name": "turns"}
    custom["identifier"] = "own-1"
    skn, sks = draw("findmypy skn", 32), draw("findmypy sks", 32)
    accessory = {
        "type": "accessory",
        "master_key": a.hex(),
        "skn": skn.hex(),
        "sks": sks.hex(),
        "paired_at": "2026-01-15T08:00:00+01:00",
        "name": "Keys",
        "model": "",
        "identifier": "00000000-1111-4222-8333-444444444444",
        "group_identifier": None,
        "serial_number": None,
        "alignment_date": "2026-02-01T00:00:00+00:00",
        "alignment_index": 1604,
    }
    expect = {
        "master_hex": a.hex(),
        "skn_hex": skn.hex(),
        "sks_hex": sks.hex(),
        "paired_at": "2026-01-15T07:00:00Z",
        "alignment_at": "2026-02-01T00:00:00Z",
        "alignment_index": 1604,
        "name": "Keys",
        "identifier": "00000000-1111-4222-8333-444444444444",
    }
    kind = "findmypy-json"
    return [
        _file("findmypy-keypair", kind, json.dumps(pair), _ok(_entry(a, name="pair"))),
        _file("findmypy-custom", kind, json.dumps(custom), _ok(_entry(a, name="turns"), _entry(b, name="turns"))),
        _file("findmypy-accessory", kind, json.dumps(accessory), {"result": "ok", "accessory": expect}),
        _file("findmypy-no-type", kind, json.dumps({"private_key": b64(a)}), _no("no type")),
    ]


def _plist_cases() -> list[Case]:
    record, expect = _accessory_record()
    beacon, at = "8A8A8A8A-1111-4222-8333-555555555555", "2026-06-30T23:45:00Z"
    aligned = plistlib.dumps(
        {"beaconIdentifier": beacon, "lastIndexObserved": 7777, "lastIndexObservationDate": _naive(at)}
    )
    binary = plistlib.dumps(record, fmt=plistlib.FMT_BINARY)
    a, b = (draw_private(f"openhaystack key {n}") for n in range(2))
    haystack = [{"deviceId": "AAAAAAAA-0000-4000-8000-000000000000", "keys": [_haystack_key(a), _haystack_key(b)]}]
    result = {"result": "ok", "accessory": expect}
    align = {"result": "ok", "alignment": {"beacon": beacon, "at": at, "index": 7777}}
    return [
        _file("plist-tag", "accessory-plist", plistlib.dumps(record).decode(), result),
        case("plist-tag-binary", format="accessory-plist", data_b64=b64(binary), expect=result),
        _file("plist-alignment", "alignment-plist", aligned.decode(), align),
        _file("plist-openhaystack", "openhaystack-plist", plistlib.dumps(haystack).decode(), _ok(_entry(a), _entry(b))),
    ]


def _naive(text: str) -> datetime:
    """plist dates have no zone and mean UTC."""
    return datetime.fromtimestamp(parse_time(text), UTC).replace(tzinfo=None)


def _data(raw: bytes) -> dict[str, Any]:
    return {"key": {"data": raw}}


def _accessory_record() -> tuple[dict[str, Any], dict[str, Any]]:
    private = draw_private("accessory record")
    point = crypto.point_of(private)
    skn, sks = draw("accessory skn", 32), draw("accessory sks", 32)
    identifier, paired = "12345678-ABCD-4EF0-9123-456789ABCDEF", "2026-04-01T12:34:56Z"
    record = {
        "batteryLevel": 1,
        "identifier": identifier,
        "isZeus": False,
        "model": "",
        "pairingDate": _naive(paired),
        "privateKey": _data(point + private),
        "productId": 21760,
        "publicKey": _data(point),
        "secondarySharedSecret": _data(sks),
        "sharedSecret": _data(skn),
        "stableIdentifier": ["2006~#8899AABBCCDDEEFF~#SIMTAG000001"],
        "systemVersion": "2.0.73",
        "vendorId": 76,
    }
    expect = {
        "master_hex": private.hex(),
        "skn_hex": skn.hex(),
        "sks_hex": sks.hex(),
        "paired_at": paired,
        "serial": "SIMTAG000001",
        "identifier": identifier,
        "group_identifier": None,
    }
    return record, expect


def _haystack_key(private: bytes) -> dict[str, bytes]:
    point = crypto.point_of(private)
    return {
        "hashedKey": crypto.hash_key(point[1:29]),
        "advertisedKey": point[1:29],
        "yCoordinate": point[29:],
        "privateKey": point + private,
        "fullKey": point + private,
    }


def _binary_case() -> Case:
    advs = [crypto.advertisement_key(draw_private(f"binary key {n}")) for n in range(5)]
    raw = bytes([len(advs)]) + b"".join(advs)
    expect = {"result": "ok", "adv_hex": [adv.hex() for adv in advs]}
    note = "public keys only, for the firmware: count byte, then 28 bytes each"
    return case("keyfile-binary", format="keyfile-bin", data_b64=b64(raw), expect=expect, note=note)
