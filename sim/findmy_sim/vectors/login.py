"""Vectors of the login: SRP, whole GrandSlam exchanges, delegates, anisette answers."""

from __future__ import annotations

import base64
import json
import uuid
from hashlib import sha256
from typing import Any

from findmy_sim import gsa, mobileme, plists, srp
from findmy_sim.accounts import Account
from findmy_sim.anisette import CLIENT_INFO, RINFO, USER_AGENT
from findmy_sim.vectors.frame import Case, b64, case, draw, file_of
from findmy_sim.vectors.reports import PASSWORDS

USER = "tracker.vectors@example.com"
EXPIRY_MS = 1_790_000_300_000


def _number(label: str, length: int = 32) -> int:
    return int.from_bytes(draw(label, length), "big")


def srp_file() -> dict[str, Any]:
    """SRP-6a of GrandSlam."""
    cases = []
    for n, (name, password) in enumerate(PASSWORDS.items()):
        protocol = srp.PROTOCOLS[n % 2]
        salt = draw(f"srp salt {name}", 16)
        cases.append(_srp_case(name, USER, password, protocol, salt, (_number(f"srp a {name}"), _number(f"b {name}"))))
    cases.append(
        _srp_case("salt-lead0", USER, "pw", "s2k", b"\0" + draw("srp salt0", 15), (_number("a0"), _number("b0")))
    )
    cases.append(
        _srp_case("wide-a", "Ümläut@example.com", "pw", "s2k", draw("wide", 16), (_number("wa", 256), _number("wb")))
    )
    cases.append(_lead0_case("A-lead0"))
    cases.append(_lead0_case("B-lead0"))
    cases.append(_lead0_case("S-lead0"))
    for name, value in (("zero", 0), ("N", srp.N)):
        why = "B mod N is zero"
        cases.append(
            case(f"reject-B-{name}", kind="gsa-srp-reject", B_hex=srp.pad(value).hex(), expect="reject", why=why)
        )
    notes = [
        'x = H(salt | H(":" | key)); K = H(S); M1 = H((H(N) xor H(PAD(g))) | H(username) | salt | A | B | '
        "K); M2 = H(A | M1 | K). A_hex, B_hex, S_hex are shown padded to 256 bytes; inside K, M1 and M2 their minimal "
        "big-endian bytes are used. padded_variant shows the other reading where it differs.",
        "All H are SHA-256. Group: 2048-bit group of RFC 5054, g=2.",
    ]
    whole = file_of("srp.json", "SRP-6a as used by GrandSlam", notes, cases)
    return {**{k: whole[k] for k in ("format", "file", "title", "notes", "verified")}, "N_2048_hex": f"{srp.N:0512x}",
            "count": whole["count"], "cases": cases}  # fmt: skip


def _exchange(
    user: str, password: str, protocol: str, salt: bytes, secrets: tuple[int, int], iterations: int = 1000
) -> tuple[srp.ClientResult, srp.ServerSession, srp.Verifier]:
    """Both sides of an exchange; they must agree."""
    verifier = srp.Verifier.make(password, salt, iterations, protocol)
    a, b = secrets
    server = srp.ServerSession(user, verifier, srp.pad(pow(srp.G, a, srp.N)), b)
    client = srp.client(user, password, a, server.b_public, verifier)
    assert client.secret == server.secret and server.check(client.m1) == client.m2
    return client, server, verifier


def _srp_case(
    name: str, user: str, password: str, protocol: str, salt: bytes, secrets: tuple[int, int], note: str = ""
) -> Case:
    client, server, verifier = _exchange(user, password, protocol, salt, secrets)
    a, b = secrets
    expect = {
        "password_key_hex": srp.password_key(password, protocol, salt, verifier.iterations).hex(),
        "x_hex": f"{client.x:064x}",
        "A_hex": srp.pad(client.a_public).hex(),
        "B_hex": srp.pad(server.b_public).hex(),
        "u_hex": f"{client.u:064x}",
        "S_hex": srp.pad(client.secret).hex(),
        "K_hex": client.session.hex(),
        "M1_hex": client.m1.hex(),
        "M2_hex": client.m2.hex(),
        "extra_data_key_hex": srp.extra_data_key(client.session).hex(),
        "extra_data_iv_hex": srp.extra_data_iv(client.session).hex(),
        "hmac_key_hex": srp.negotiation_key(client.session).hex(),
    }
    made = case(
        f"sim-{name}", kind="gsa-srp", username=user, password=password, sp=protocol, salt_hex=salt.hex(),
        iterations=verifier.iterations, a_hex=_even_hex(a), b_hex=_even_hex(b), expect=expect,
    )  # fmt: skip
    padded = _padded_variant(user, salt, client, server)
    if padded["M1_hex"] != client.m1.hex() or padded["K_hex"] != client.session.hex():
        made["padded_variant"] = padded
    if note:
        made["note"] = note
    return made


def _even_hex(value: int) -> str:
    """Hex of whole bytes, at least 32 of them."""
    return value.to_bytes(max(32, (value.bit_length() + 7) // 8), "big").hex()


def _padded_variant(user: str, salt: bytes, client: srp.ClientResult, server: srp.ServerSession) -> dict[str, str]:
    """K, M1 and M2 if A, B and S went in with 256 bytes."""
    a_public, session = srp.pad(client.a_public), srp.h(srp.pad(client.secret))
    m1 = srp.h(srp.GROUP_HASH, srp.h(user.encode()), salt, a_public, srp.pad(server.b_public), session)
    return {"K_hex": session.hex(), "M1_hex": m1.hex(), "M2_hex": srp.h(a_public, m1, session).hex()}


def _lead0_case(name: str) -> Case:
    """An exchange in which A, B or S starts with a zero byte."""
    salt, number = draw(f"lead0 {name}", 16), 0
    verifier = srp.Verifier.make("pw", salt, 1000, "s2k")
    while True:
        a, b = _number(f"{name} a {number}"), _number(f"{name} b {number}")
        number += 1
        a_public = pow(srp.G, a, srp.N)
        server = srp.ServerSession(USER, verifier, srp.pad(a_public), b)
        values = {"A-lead0": a_public, "B-lead0": server.b_public, "S-lead0": server.secret}
        lead0 = {key for key, value in values.items() if srp.pad(value)[0] == 0}
        if lead0 == {name}:
            note = f"{name[0]} has a leading zero byte; u is over padded values, M1, M2 and K over minimal ones here"
            return _srp_case(name, USER, "pw", "s2k", salt, (a, b), note)


# --- GrandSlam --------------------------------------------------------------------------------------


def gsa_file() -> dict[str, Any]:
    """Whole exchanges, delegates, app tokens."""
    cases = [
        _transcript("ok-s2k", "authenticated"),
        _transcript("ok-s2k-fo", "authenticated", protocol="s2k_fo", password=PASSWORDS["greek-japanese"]),
        _transcript("ok-emoji", "authenticated", password=PASSWORDS["emoji"]),
        _transcript("second-factor-device", "2fa-trusted-device", au="trustedDeviceSecondaryAuth"),
        _transcript("second-factor-sms", "2fa-sms", au="secondaryAuth"),
        _transcript("terms", "unsupported-step", au="acceptTerms"),
        _transcript("bad-m2", "bad-server-proof", spoil="m2"),
        _transcript("bad-np", "bad-server-proof", spoil="np"),
        _transcript("wrong-password", "bad-credentials", ec=-22406),
        _transcript("unknown-user", "bad-credentials", ec=-20101),
        _transcript("locked", "account-locked", ec=-20209),
        _transcript("anisette", "bad-anisette", ec=-22421),
        _transcript("unknown-sp", "unsupported-protocol", spoil="sp"),
        *_delegate_cases(),
        _app_tokens(),
    ]
    notes = [
        "kind transcript: with the fixed client secret a, a client must send A and M1 as stated, must accept or refuse "
        "as outcome says, and must read the fields. The server answers are whole XML plists.",
        "Texts of error messages are made up; match on the codes.",
    ]
    return file_of("gsa.json", "GrandSlam login, whole exchanges", notes, cases)


def _account() -> Account:
    return Account(USER, "", 10_000_004_711, "001234-08-" + draw("adsid", 18).hex())


def _spd(account: Account, au: str) -> dict[str, Any]:
    spd: dict[str, Any] = {
        "adsid": account.adsid,
        "GsIdmsToken": b64(draw("idms", 60)),
        "acname": account.username,
        "fn": "Vector",
        "ln": "Person & Söhne",
        "status-code": 409 if au else 200,
        "sk": draw("sk", 32),
        "c": draw("cookie", 48),
        "DsPrsId": account.dsid,
    }
    if not au:
        pet = {"token": "PET-" + b64(draw("pet", 48)), "expiry": EXPIRY_MS, "duration": 300, "cts": EXPIRY_MS - 300_000}
        spd["t"] = {"com.apple.gs.idms.pet": pet}
    return spd


def _transcript(
    name: str, outcome: str, protocol: str = "s2k", password: str = PASSWORDS["umlaut"], au: str = "", ec: int = 0,
    spoil: str = "",
) -> Case:  # fmt: skip
    """One exchange; `spoil` breaks m2, np or sp."""
    salt = draw(f"gsa salt {name}", 16)
    secrets = (_number(f"gsa a {name}", 256), _number(f"gsa b {name}"))
    client, server, verifier = _exchange(USER, password, protocol, salt, secrets, 20_000)
    account = _account()
    spd = _spd(account, au)
    c = "c-" + draw(f"gsa c {name}", 12).hex()
    init = {
        "Status": gsa.status(),
        "i": verifier.iterations,
        "s": salt,
        "sp": "s2k_next" if spoil == "sp" else protocol,
        "c": c,
        "B": srp.pad(server.b_public),
    }
    sealed = gsa.encrypt_spd(client.session, spd)
    proof = srp.negotiation_proof(client.session, protocol, sealed)
    complete = {
        "Status": gsa.status(ec, 409 if au else 200, **({"au": au} if au else {})),
        "M2": _flip(client.m2) if spoil == "m2" else client.m2,
        "spd": sealed,
        "np": _flip(proof) if spoil == "np" else proof,
        "ptxid": "p-" + draw(f"gsa p {name}", 8).hex(),
    }
    if ec:
        complete = {"Status": gsa.status(ec, gsa.ERRORS[ec][0])}
    expect: dict[str, Any] = {"A_hex": srp.pad(client.a_public).hex(), "M1_hex": client.m1.hex(), "c": c}
    if not ec and not spoil:
        expect |= _read_fields(spd, client, protocol, sealed)
    expect |= {"au": au or None, "outcome": outcome}
    return case(
        name, kind="transcript", username=USER, password=password, a_hex=_even_hex(secrets[0]),
        init_response=plists.dumps({"Response": init}).decode(),
        complete_response=plists.dumps({"Response": complete}).decode(),
        spd_fragment=plists.fragment(spd).decode(), expect=expect,
    )  # fmt: skip


def _read_fields(spd: dict[str, Any], client: srp.ClientResult, protocol: str, sealed: bytes) -> dict[str, Any]:
    pet = spd.get("t", {}).get("com.apple.gs.idms.pet", {})
    identity = f"{spd['adsid']}:{spd['GsIdmsToken']}".encode()
    return {
        "M2_ok": True,
        "np_ok": True,
        "np_digest_hex": srp.negotiation_digest(protocol, sealed).hex(),
        "adsid": spd["adsid"],
        "idms_token": spd["GsIdmsToken"],
        "pet": pet.get("token"),
        "pet_expiry_ms": pet.get("expiry"),
        "identity_token_b64": b64(identity),
    }


def _flip(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def _delegate_cases() -> list[Case]:
    account, token = _account(), "SPT~" + b64(draw("token", 48))
    basic = b64(f"{account.dsid}:{token}".encode())
    ok = {"outcome": "ok", "dsid": str(account.dsid), "search_party_token": token, "basic_auth_b64": basic}
    as_number = mobileme.delegates(account, token) | {"dsid": account.dsid}
    limit = mobileme.refusal(account, mobileme.MESSAGES["account_limit"])
    expired = {"status": 1, "status-message": mobileme.EXPIRED, "delegates": {}}
    refused = {"outcome": "account-limit", "message": mobileme.MESSAGES["account_limit"]}
    rows: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
        ("delegate-ok", mobileme.delegates(account, token), ok, ""),
        ("delegate-dsid-number", as_number, ok, "dsid may come as text or as a number"),
        ("delegate-limit", limit, refused, ""),
        ("delegate-expired", expired, {"outcome": "delegate-error", "message": mobileme.EXPIRED}, ""),
    ]
    return [
        case(name, kind="delegate-response", response=plists.dumps(answer).decode(), expect=expect, note=note)
        for name, answer, expect, note in rows
    ]


def _app_tokens() -> Case:
    sk, adsid, app = draw("app sk", 32), _account().adsid, "com.apple.gs.xcode.auth"
    content = {"t": {app: {"expiry": EXPIRY_MS, "token": "app-token"}}}
    et = gsa.encrypt_app_tokens(sk, content, draw("app iv", 16))
    expect = {
        "checksum_hex": gsa.app_tokens_checksum(sk, adsid, [app]).hex(),
        "plaintext": plists.dumps(content).decode(),
    }
    return case("apptokens", kind="apptokens", sk_hex=sk.hex(), adsid=adsid, app=app, et_hex=et.hex(), expect=expect)


# --- anisette ---------------------------------------------------------------------------------------


def anisette() -> dict[str, Any]:
    """Answers of anisette servers."""
    identifier = draw("anisette identifier", 16)
    otp = b64(b"\0\0\0\5\0\0\0\x10" + draw("otp", 16) + b"\0\0\0\2")
    machine = b64(draw("machine", 60))
    device, local = str(uuid.UUID(bytes=identifier)).upper(), sha256(identifier).hexdigest()
    md = {"X-Apple-I-MD": otp, "X-Apple-I-MD-M": machine, "X-Apple-I-MD-RINFO": RINFO}
    read = {"result": "ok", "otp": otp, "machine": machine, "rinfo": RINFO}
    v1 = {
        "X-Apple-I-Client-Time": "2026-09-21T14:13:20Z", **md, "X-Apple-I-MD-LU": local.upper(),
        "X-Apple-I-SRL-NO": "0", "X-Apple-I-TimeZone": "UTC", "X-Apple-Locale": "en_US",
        "X-MMe-Client-Info": CLIENT_INFO, "X-Mme-Device-Id": device,
    }  # fmt: skip
    without = {k: v for k, v in v1.items() if k != "X-Apple-I-MD-M"}
    lost = {"result": "GetHeadersError", "message": "ADI error: -45061"}
    info = {"client_info": CLIENT_INFO, "user_agent": USER_AGENT}
    own = "0a1b2c3d-4e5f-4061-8273-8495a6b7c8d9"
    rows: list[tuple[str, str, int, str, dict[str, Any], str]] = [
        ("v1-good", "v1", 200, json.dumps(v1), {**read, "local_user": local.upper(), "device": device}, ""),
        ("v1-no-machine", "v1", 200, json.dumps(without), {"result": "error"}, ""),
        ("v1-not-json", "v1", 200, "starting...", {"result": "error"}, ""),
        ("v3-info", "v3-client-info", 200, json.dumps(info), {"result": "ok", **info}, ""),
        ("v3-good", "v3-headers", 200, json.dumps({"result": "Headers", **md}), read, ""),
        ("v3-lost", "v3-headers", 200, json.dumps(lost), {"result": "reprovision"}, ""),
        ("v3-other", "v3-headers", 200, json.dumps({**lost, "message": "ADI error: -45075"}), {"result": "error"}, ""),
        ("v3-500", "v3-headers", 500, "oops", {"result": "error"}, ""),
    ]
    cases = [
        case(name, kind=kind, http_status=status, body=body, expect=expect, note=note)
        for name, kind, status, body, expect, note in rows
    ]
    ids = {"identifier_b64": b64(identifier), "device_id": device, "local_user": local}
    cases.append(case("v3-ids", kind="v3-ids", identifier_hex=identifier.hex(), compare="case-insensitive", expect=ids))
    either = [base64.b64encode(text.encode()).decode() for text in (own.upper(), own)]
    cases.append(case("own-lu", kind="lu-base64", user_id=own, expect={"any_of_b64": either}))
    notes = [
        "Values are made up; lengths and alphabets follow real ones.",
        "v3-ids: local_user is SHA-256 of the 16 identifier bytes in hex; device id is the identifier as a UUID.",
    ]
    return file_of("anisette.json", "Answers of anisette servers", notes, cases)
