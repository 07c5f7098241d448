"""Vectors of reports and of the primitives below them."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from findmy_sim import crypto, srp
from findmy_sim.clock import format_time
from findmy_sim.vectors.frame import Case, b64, case, draw, draw_private, file_of, search_private

BASE_TIME = 1_790_000_000  # 2026-09-21, after the switch to the long form
P = crypto.FIELD_PRIME


def degrees(e7: int) -> str:
    """An integer of 1e-7 degrees as decimal text, exact."""
    whole, part = divmod(abs(e7), 10_000_000)
    return f"{'-' if e7 < 0 else ''}{whole}.{part:07d}"


def decrypted(plain: crypto.Plain) -> dict[str, Any]:
    """What a good report must give."""
    return {
        "ok": True,
        "timestamp_unix": plain.time,
        "timestamp": format_time(plain.time),
        "confidence": plain.confidence,
        "lat_e7": plain.lat_e7,
        "lon_e7": plain.lon_e7,
        "lat": degrees(plain.lat_e7),
        "lon": degrees(plain.lon_e7),
        "accuracy": plain.accuracy,
        "status": plain.status,
        "battery_bits": plain.status >> 6,
        "in_range": abs(plain.lat_e7) <= 900_000_000 and abs(plain.lon_e7) <= 1_800_000_000,
    }


def seal(label: str, private: bytes, plain: crypto.Plain, form: int) -> bytes:
    """A report with a one-time key that hangs on a label."""
    public = crypto.load_private(private).public_key()
    return crypto.encrypt(public, crypto.scalar_from(b"one-time", label.encode()), plain, form)


def report_case(name: str, private: bytes, payload: bytes, error: str = "", note: str = "") -> Case:
    """A case whose expectation is what the simulator's own decoder says; `error` must agree with it."""
    try:
        expect = decrypted(crypto.decrypt(private, payload))
    except crypto.ReportError as err:
        expect = {"ok": False, "error": err.code}
    assert expect.get("error", "") == error, name
    try:
        hashed = crypto.report_id(crypto.advertisement_key(private))
    except crypto.BadKeyError:
        hashed = ""
    return case(
        name,
        note=note,
        private_hex=private.hex(),
        hashed_b64=hashed,
        payload_hex=payload.hex(),
        payload_b64=b64(payload),
        expect=expect,
    )


def reports() -> dict[str, Any]:
    """Whole reports, good and bad."""
    cases = [*_good_reports(), *_odd_values(), *_bad_reports()]
    notes = [
        "payload: what the report server hands out, base64 of 88 or 89 bytes.",
        "lat_e7, lon_e7: signed 32-bit integers of the plaintext, degrees times 10^7.",
        "in_range false: decrypts, but such a position must never be stored.",
        "error: length (not 88 or 89), point (ephemeral point refused), key, auth (GCM tag wrong).",
    ]
    return file_of("reports.json", "Encrypted location reports with their private keys", notes, cases)


def _plain(label: str, **changes: Any) -> crypto.Plain:
    raw = draw(f"plain {label}", 12)
    values: dict[str, Any] = {
        "time": BASE_TIME + int.from_bytes(raw[:3], "big") % 600_000,
        "confidence": raw[3] % 4,
        "lat_e7": int.from_bytes(raw[4:8], "big") % 1_800_000_001 - 900_000_000,
        "lon_e7": int.from_bytes(raw[8:12], "big") % 3_600_000_001 - 1_800_000_000,
        "accuracy": raw[3],
        "status": (0x20, 0x60, 0xA0, 0xE0)[raw[7] % 4],
    }
    return crypto.Plain(**(values | changes))


def _good_reports() -> list[Case]:
    rows = []
    for n in range(30):
        private, form = draw_private(f"report key {n % 7}"), (88, 89)[n % 2]
        rows.append(report_case(f"sim-{n:02d}-{form}", private, seal(f"sim {n}", private, _plain(str(n)), form)))
    return rows


def _odd_values() -> list[Case]:
    private = draw_private("odd values")
    rows = {
        "epoch": {"time": crypto.APPLE_EPOCH},
        "last-second": {"time": crypto.APPLE_EPOCH + 2**32 - 1},
        "sign-bit-time": {"time": crypto.APPLE_EPOCH + 2**31},
        "confidence-255": {"confidence": 255},
        "confidence-4": {"confidence": 4},
        "zero-position": {"lat_e7": 0, "lon_e7": 0},
        "minus-one": {"lat_e7": -1, "lon_e7": -1},
        "north-pole": {"lat_e7": 900_000_000, "lon_e7": 1_800_000_000},
        "south-pole": {"lat_e7": -900_000_000, "lon_e7": -1_800_000_000},
        "just-beyond-pole": {"lat_e7": 900_000_001, "lon_e7": 0},
        "just-beyond-dateline": {"lat_e7": 0, "lon_e7": -1_800_000_001},
        "int-min": {"lat_e7": -(2**31), "lon_e7": -(2**31)},
        "int-max": {"lat_e7": 2**31 - 1, "lon_e7": 2**31 - 1},
        "accuracy-0": {"accuracy": 0},
        "accuracy-255": {"accuracy": 255},
        "status-ff": {"status": 0xFF},
        "status-10": {"status": 0x10},
    }
    cases = []
    for n, (name, changes) in enumerate(rows.items()):
        form = (88, 89)[n % 2]
        cases.append(report_case(f"{name}-{form}", private, seal(name, private, _plain(name, **changes), form)))
    negated = (crypto.GROUP_ORDER - int.from_bytes(private, "big")).to_bytes(28, "big")
    payload = seal("negated", private, _plain("negated"), 89)
    cases.append(report_case("negated-key-89", negated, payload, note="n-d has the same X, so it opens too"))
    cases.append(_shared_lead0())
    return cases


def _shared_lead0() -> Case:
    """A report whose shared secret starts with a zero byte."""
    private = draw_private("shared lead 0")
    public = crypto.load_private(private).public_key()
    number = 0
    while True:
        scalar = crypto.scalar_from(b"shared lead 0", str(number).encode())
        one_time = ec.derive_private_key(scalar, crypto.CURVE)
        if one_time.exchange(ec.ECDH(), public)[0] == 0:
            break
        number += 1
    payload = crypto.encrypt(public, scalar, _plain("shared lead 0"), 88)
    return report_case("shared-lead0-88", private, payload, note="the shared X must be kept at 28 bytes")


def _bad_reports() -> list[Case]:
    private, other = draw_private("bad report"), draw_private("somebody else")
    old, new = (seal(f"bad {form}", private, _plain("bad"), form) for form in (88, 89))
    low_tag, first_tag = new[:-1] + bytes([new[-1] ^ 1]), old[:72] + bytes([old[72] ^ 0x80]) + old[73:]
    cipher = new[:63] + bytes([new[63] ^ 1]) + new[64:]
    off_curve = new[:62] + bytes([new[62] ^ 1]) + new[63:]
    too_large = old[:6] + b"\xff" * 28 + old[34:]
    adv = crypto.advertisement_key(private)
    return [
        report_case("tag-last-bit-89", private, low_tag, "auth"),
        report_case("tag-first-bit-88", private, first_tag, "auth"),
        report_case("ciphertext-89", private, cipher, "auth"),
        report_case("other-key-88", other, old, "auth"),
        report_case("no-tag-72", private, old[:72], "length"),
        report_case("one-missing-87", private, old[:-1], "length"),
        report_case("one-more-90", private, new + b"\0", "length"),
        report_case("nothing-0", private, b"", "length"),
        report_case("off-curve-89", private, off_curve, "point"),
        report_case("compressed-prefix-88", private, old[:5] + b"\3" + old[6:], "point"),
        report_case("x-too-large-88", private, too_large, "point"),
        report_case("point-zero-89", private, new[:6] + b"\4" + bytes(56) + new[63:], "point"),
        report_case("long-cut-to-88", private, new[:88], "point", "byte 5 is then the confidence, not 04"),
        report_case("private-zero-88", bytes(28), old, "key"),
        report_case("private-order-89", crypto.GROUP_ORDER.to_bytes(28, "big"), new, "key"),
        report_case("adv-in-kdf-88", private, _with_adv_in_kdf(private, adv), "auth", "the KDF took the adv key"),
        report_case(
            "header-changed-88", private, bytes([old[0], old[1], old[2], old[3] ^ 1, 200]) + old[5:],
            note="timestamp and confidence are not covered by the tag: this opens",
        ),
    ]  # fmt: skip


def _with_adv_in_kdf(private: bytes, adv: bytes) -> bytes:
    """A report made by somebody who read the paper literally: it must not open."""
    one_time = ec.derive_private_key(crypto.scalar_from(b"adv in kdf"), crypto.CURVE)
    shared = one_time.exchange(ec.ECDH(), crypto.load_private(private).public_key())
    secret = crypto.x963(shared, adv, 32)
    sealed = AESGCM(secret[:16]).encrypt(secret[16:], bytes(10), None)
    return bytes([0x2F, 0xAF, 8, 0, 3]) + crypto.point_bytes(one_time.public_key()) + sealed


def reports_parse() -> dict[str, Any]:
    """Outer fields of payloads whose key is unknown."""
    cases = []
    for n, form in enumerate((88, 89, 89)):
        private = draw_private(f"parse {n}")
        payload = seal(f"parse {n}", private, _plain(f"parse {n}"), form)
        body = payload[form - 83 :]
        expect = {
            "form": form,
            "timestamp_unix": _plain(f"parse {n}").time,
            "timestamp": format_time(_plain(f"parse {n}").time),
            "confidence": payload[form - 84],
            "ephemeral_hex": body[:57].hex(),
            "ciphertext_hex": body[57:67].hex(),
            "tag_hex": body[67:].hex(),
            "ephemeral_on_curve": True,
        }
        cases.append(case(f"parse-{n}", payload_hex=payload.hex(), payload_b64=b64(payload), expect=expect))
    return file_of(
        "reports-parse.json", "Report payloads whose key is unknown: outer fields only",
        ["The outer fields are readable without a key."], cases,
    )  # fmt: skip


# --- primitives -------------------------------------------------------------------------------------


def ecdh() -> dict[str, Any]:
    """ECDH on secp224r1."""
    cases = [_ecdh_case(f"sim-{n:02d}", draw_private(f"ecdh a {n}"), draw_private(f"ecdh b {n}")) for n in range(40)]
    one, top = (1).to_bytes(28, "big"), (crypto.GROUP_ORDER - 1).to_bytes(28, "big")
    mine = draw_private("ecdh edge")
    cases += [
        _ecdh_case("base-point", mine, one),
        _ecdh_case("minus-base-point", mine, top),
        _ecdh_case("private-one", one, mine),
        _ecdh_case("own-point", mine, mine),
        _ecdh_case("peer-x-lead0", mine, search_private("adv lead 0", lambda adv: adv[0] == 0)),
    ]
    point = crypto.point_of(draw_private("ecdh bad"))
    bad = {
        "compressed": bytes([2 + (point[-1] & 1)]) + point[1:29],
        "hybrid-prefix": bytes([6 + (point[-1] & 1)]) + point[1:],
        "infinity": b"\0",
        "empty": b"",
        "short": point[:-1],
        "long": point + b"\0",
        "off-curve": point[:-1] + bytes([point[-1] ^ 1]),
        "x-is-p": b"\4" + P.to_bytes(28, "big") + point[29:],
        "y-too-large": point[:29] + b"\xff" * 28,
        "zero-point": b"\4" + bytes(56),
    }
    cases += [_ecdh_reject(name, mine, raw) for name, raw in bad.items()]
    notes = [
        "shared_hex is the X coordinate, 28 bytes, zero-padded.",
        "expect states what a strict reader does: only 57-byte points starting 04 with both coordinates below p and "
        "on the curve are accepted.",
    ]
    return file_of("ecdh-p224.json", "ECDH on secp224r1", notes, cases)


def _ecdh_case(name: str, private: bytes, peer: bytes) -> Case:
    public = crypto.load_private(peer).public_key()
    shared = crypto.load_private(private).exchange(ec.ECDH(), public)
    return case(
        name, flags=["Generated"], comment="", public_hex=crypto.point_bytes(public).hex(), private_hex=private.hex(),
        upstream_result=None, expect="accept", shared_hex=shared.hex(),
    )  # fmt: skip


def _ecdh_reject(name: str, private: bytes, raw: bytes) -> Case:
    return case(
        f"bad-{name}", flags=["Generated"], comment=name.replace("-", " "), public_hex=raw.hex(),
        private_hex=private.hex(), upstream_result=None, expect="reject", shared_hex=None,
    )  # fmt: skip


def kdf() -> dict[str, Any]:
    """ANSI X9.63 with SHA-256."""
    rows = [(f"len-{length}", 28, b"info", length) for length in (1, 16, 31, 32, 33, 64, 72, 100)]
    rows += [("update", 32, b"update", 32), ("diversify", 32, b"diversify", 72), ("no-info", 28, b"", 32)]
    rows += [("point-info", 28, crypto.point_of(draw_private("kdf info")), 32), ("long-info", 28, bytes(300), 48)]
    cases = []
    for name, width, info, length in rows:
        z = draw(f"kdf {name}", width)
        out = crypto.x963(z, info, length)
        # The same by hand, block by block.
        blocks = [hashlib.sha256(z + bytes([0, 0, 0, i]) + info).digest() for i in range(1, 5)]
        assert out == b"".join(blocks)[:length]
        cases.append(case(name, z_hex=z.hex(), shared_info_hex=info.hex(), length=length, out_hex=out.hex()))
    z = b"\0" + draw("kdf lead 0", 27)
    cases.append(case("z-lead0", z_hex=z.hex(), shared_info_hex="", length=32, out_hex=crypto.x963(z, b"", 32).hex()))
    return file_of(
        "kdf-x963.json", "ANSI X9.63 KDF with SHA-256",
        ["block i (from 1) = SHA-256(z | i as 4 bytes big-endian | shared_info); blocks are joined and cut."], cases,
    )  # fmt: skip


def gcm() -> dict[str, Any]:
    """AES-128-GCM with both IV lengths."""
    cases = []
    for n in range(24):
        iv_len, plain_len, aad_len = (16, 12)[n % 2], (10, 0, 1, 16, 17, 64)[n % 6], (0, 0, 0, 20)[n % 4]
        key, iv = draw(f"gcm key {n}", 16), draw(f"gcm iv {n}", iv_len)
        plain, aad = draw(f"gcm plain {n}", plain_len), draw(f"gcm aad {n}", aad_len)
        sealed = AESGCM(key).encrypt(iv, plain, aad)
        bad = n >= 18
        if bad:
            sealed = sealed[:-1] + bytes([sealed[-1] ^ (1 << (n - 18))])
            try:
                AESGCM(key).decrypt(iv, sealed, aad)
            except InvalidTag:
                pass
            else:
                raise AssertionError("a changed tag was accepted")
        cases.append(
            case(
                f"sim-{n:02d}", flags=[], comment="tag changed" if bad else "", key_hex=key.hex(), iv_hex=iv.hex(),
                aad_hex=aad.hex(), plain_hex=plain.hex(), cipher_hex=sealed[:-16].hex(), tag_hex=sealed[-16:].hex(),
                expect="auth-fail" if bad else "ok",
            )
        )  # fmt: skip
    return file_of(
        "aes-gcm-128.json", "AES-128-GCM with 96-bit and 128-bit IVs",
        ["auth-fail: the open operation must fail and hand out no plaintext."], cases,
    )  # fmt: skip


def pbkdf2() -> dict[str, Any]:
    """PBKDF2 and the two password forms."""
    cases = []
    for n, (iterations, length) in enumerate([(1, 32), (2, 20), (1000, 32), (4096, 64), (1500, 33)]):
        password, salt = draw(f"pbkdf2 password {n}", 3 + 20 * n), draw(f"pbkdf2 salt {n}", 16)
        out = hashlib.pbkdf2_hmac("sha256", password, salt, iterations, length)
        cases.append(
            case(
                f"plain-{n}", kind="pbkdf2", password_hex=password.hex(), salt_hex=salt.hex(), iterations=iterations,
                length=length, out_hex=out.hex(),
            )
        )  # fmt: skip
    for name, words in PASSWORDS.items():
        for protocol in srp.PROTOCOLS:
            salt = draw(f"s2k salt {name}", 16)
            cases.append(
                case(
                    f"{protocol}-{name}", kind=protocol, password_utf8=words, salt_hex=salt.hex(), iterations=1100,
                    length=32, prehash_hex=srp.prehash(words, protocol).hex(),
                    out_hex=srp.password_key(words, protocol, salt, 1100).hex(),
                )
            )  # fmt: skip
    notes = [
        "kind pbkdf2: password bytes go straight in.",
        "s2k: the 32 raw bytes of SHA-256(password) go in; s2k_fo: the 64 lowercase hex digits of that hash.",
    ]
    return file_of("pbkdf2.json", "PBKDF2-HMAC-SHA256 and the two Apple password forms", notes, cases)


PASSWORDS = {
    "ascii": "Tr4cker & <tag>",
    "umlaut": "größer als Käse",
    "greek-japanese": "Ωμέγα 東京",
    "emoji": "🔑📦🚚",
    "combining": "e\u0301 is not \u00e9",
    "blanks": "  two ends  ",
    "long": "0123456789" * 30,
}
