"""The simulator's code against vector files: the shared ones were made by other programs and are the judge."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from findmy_sim import crypto, gsa, plists, srp
from findmy_sim.clock import format_time, parse_time
from findmy_sim.rolling import Alignment, KeyChain, secondary_candidates

Case = dict[str, Any]


def un(text: str) -> bytes:
    return bytes.fromhex(text)


def keys(c: Case) -> None:
    private = un(c["private_hex"])
    point = crypto.point_of(private)
    adv = crypto.advertisement_key(private)
    assert (adv.hex(), point[29:].hex()) == (c["adv_hex"], c["y_hex"])
    assert (crypto.report_id(adv), crypto.mac_address(adv)) == (c["hashed_b64"], c["mac"])
    assert crypto.decode_key(c["private_b64"]) == private


def keys_invalid(c: Case) -> None:
    with pytest.raises(crypto.BadKeyError):
        crypto.load_private(crypto.decode_key(c["text"]))


def adv(c: Case) -> None:
    if c.get("parse_only"):
        return
    raw = un(c["adv_hex"])
    assert crypto.advertisement(raw, c["status"], c["hint"]).hex() == c["ad_hex"]
    assert crypto.nearby_advertisement(raw, c["status"]).hex() == c["nearby_hex"]
    assert crypto.mac_address(raw) == c["mac"]


def ecdh(c: Case) -> None:
    raw = un(c["public_hex"])
    # The simulator's own rule for points is in decrypt(); the library alone takes compressed ones as well.
    if len(raw) != 57 or raw[0] != 4:
        assert c["expect"] == "reject"
        return
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(crypto.CURVE, raw)
    except ValueError:
        assert c["expect"] == "reject"
        return
    assert c["expect"] == "accept"
    d = int(c["private_hex"], 16)
    assert ec.derive_private_key(d, crypto.CURVE).exchange(ec.ECDH(), public).hex() == c["shared_hex"]


def kdf(c: Case) -> None:
    assert crypto.x963(un(c["z_hex"]), un(c["shared_info_hex"]), c["length"]).hex() == c["out_hex"]


def gcm(c: Case) -> None:
    cipher, iv, aad = AESGCM(un(c["key_hex"])), un(c["iv_hex"]), un(c["aad_hex"])
    sealed = un(c["cipher_hex"]) + un(c["tag_hex"])
    if c["expect"] == "ok":
        assert cipher.encrypt(iv, un(c["plain_hex"]), aad) == sealed
    else:
        with pytest.raises(InvalidTag):
            cipher.decrypt(iv, sealed, aad)


def reports(c: Case) -> None:
    expect, payload = c["expect"], un(c["payload_hex"])
    if not expect["ok"]:
        with pytest.raises(crypto.ReportError) as caught:
            crypto.decrypt(un(c["private_hex"]), payload)
        assert caught.value.code == expect["error"]
        return
    plain = crypto.decrypt(un(c["private_hex"]), payload)
    wanted = ("timestamp_unix", "confidence", "lat_e7", "lon_e7", "accuracy", "status")
    got = (plain.time, plain.confidence, plain.lat_e7, plain.lon_e7, plain.accuracy, plain.status)
    assert got == tuple(expect[name] for name in wanted)
    assert format_time(plain.time) == expect["timestamp"]


def rolling(c: Case) -> None:
    expect = c["expect"]
    if c["kind"] == "candidates":
        assert secondary_candidates(c["primary_index"]) == expect["secondary"]
        return
    key = KeyChain(un(c["master_hex"]), un(c["initial_sk_hex"])).derive(expect["index"])
    assert (key.secret.hex(), f"{key.u:056x}", f"{key.v:056x}") == (expect["sk_hex"], expect["u_hex"], expect["v_hex"])
    assert (key.private.hex(), key.adv.hex()) == (expect["private_hex"], expect["adv_hex"])


def alignment(c: Case) -> None:
    state, expect = Alignment(int(parse_time(c["alignment_date"])), c["alignment_index"]), c["expect"]
    if c["kind"] == "range":
        assert state.bounds(int(parse_time(c["at"]))) == (expect["min_index"], expect["max_index"])
        return
    for seen in c["observations"]:
        state.observe(int(parse_time(seen["at"])), seen["index"])
    assert (format_time(state.date), state.index) == (expect["alignment_date"], expect["alignment_index"])


def pbkdf2(c: Case) -> None:
    if c["kind"] == "pbkdf2":
        return  # hashlib's own; the simulator only uses the two forms below
    assert srp.prehash(c["password_utf8"], c["kind"]).hex() == c["prehash_hex"]
    out = srp.password_key(c["password_utf8"], c["kind"], un(c["salt_hex"]), c["iterations"])
    assert out.hex() == c["out_hex"]


def srp_case(c: Case) -> None:
    if c["kind"] != "gsa-srp":
        return
    expect = c["expect"]
    verifier = srp.Verifier.make(c["password"], un(c["salt_hex"]), c["iterations"], c["sp"])
    result = srp.client(c["username"], c["password"], int(c["a_hex"], 16), int(expect["B_hex"], 16), verifier)
    assert f"{result.x:064x}" == expect["x_hex"]
    assert (srp.pad(result.a_public).hex(), srp.pad(result.secret).hex()) == (expect["A_hex"], expect["S_hex"])
    assert (result.session.hex(), result.m1.hex(), result.m2.hex()) == tuple(
        expect[name] for name in ("K_hex", "M1_hex", "M2_hex")
    )
    assert srp.extra_data_key(result.session).hex() == expect["extra_data_key_hex"]
    if c["b_hex"]:
        server = srp.ServerSession(c["username"], verifier, un(expect["A_hex"]), int(c["b_hex"], 16))
        assert server.b_public == int(expect["B_hex"], 16)
        assert server.check(result.m1) == result.m2


def gsa_case(c: Case) -> None:
    expect = c["expect"]
    if c["kind"] == "apptokens":
        sk = un(c["sk_hex"])
        assert gsa.app_tokens_checksum(sk, c["adsid"], [c["app"]]).hex() == expect["checksum_hex"]
        et = un(c["et_hex"])
        assert AESGCM(sk).decrypt(et[3:19], et[19:], et[:3]).decode() == expect["plaintext"]
    elif c["kind"] == "transcript":
        init = plists.loads(c["init_response"].encode())["Response"]
        if init["sp"] not in srp.PROTOCOLS:
            assert expect["outcome"] == "unsupported-protocol"
            return
        verifier = srp.Verifier(init["s"], init["i"], init["sp"], 0)
        b_public = int.from_bytes(init["B"], "big")
        result = srp.client(c["username"], c["password"], int(c["a_hex"], 16), b_public, verifier)
        assert (srp.pad(result.a_public).hex(), result.m1.hex()) == (expect["A_hex"], expect["M1_hex"])
        if expect.get("M2_ok"):
            done = plists.loads(c["complete_response"].encode())["Response"]
            assert done["M2"] == result.m2
            assert srp.negotiation_digest(init["sp"], done["spd"]).hex() == expect["np_digest_hex"]
            assert done["np"] == srp.negotiation_proof(result.session, init["sp"], done["spd"])


RUNNERS: dict[str, Callable[[Case], None]] = {
    "keys.json": keys,
    "keys-invalid.json": keys_invalid,
    "adv.json": adv,
    "ecdh-p224.json": ecdh,
    "kdf-x963.json": kdf,
    "aes-gcm-128.json": gcm,
    "reports.json": reports,
    "rolling.json": rolling,
    "alignment.json": alignment,
    "pbkdf2.json": pbkdf2,
    "srp.json": srp_case,
    "gsa.json": gsa_case,
}


@pytest.mark.parametrize("name", RUNNERS)
def test_vectors(vectors: Path, name: str) -> None:
    path = vectors / name
    if not path.exists():
        pytest.skip(f"no {name} here")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["format"] == "tracker-vectors/1"
    assert len(content["cases"]) == content["count"]
    for case in content["cases"]:
        try:
            RUNNERS[name](case)
        except AssertionError as err:
            raise AssertionError(f"case {case['id']}: {err}") from err


def test_parse_only_payloads(vectors: Path) -> None:
    path = vectors / "reports-parse.json"
    if not path.exists():
        pytest.skip("no reports-parse.json here")
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        payload, expect = base64.b64decode(case["payload_b64"]), case["expect"]
        with pytest.raises(crypto.ReportError) as caught:
            crypto.decrypt(crypto.private_from(b"nobody"), payload)
        # The point is accepted; only the key is another.
        assert caught.value.code == "auth" and len(payload) == expect["form"]


def test_own_vectors_are_current() -> None:
    """The committed files are what the generator makes; a slow file or two stand for all."""
    from conftest import ROOT

    from findmy_sim.vectors import answers, keys, reports

    for make in (keys.keys, keys.rolling, keys.keyfiles, reports.reports, answers.responses):
        content = make()
        text = (ROOT / "tests" / "vectors" / content["file"]).read_text(encoding="utf-8")
        assert json.loads(text) == content
