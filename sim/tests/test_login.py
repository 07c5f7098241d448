"""Sign-in against the simulator: passwords, second factors, refusals, tokens."""

from __future__ import annotations

import json
import plistlib
import re

import pytest
from conftest import PASSWORD, USER, Run

PASSWORDS = ["simple", "pässwörd", "日本語パスワード", "🔑" * 20, " blanks ", "a" * 500, "<&>\"'"]


@pytest.mark.parametrize("protocol", ["s2k", "s2k_fo"])
async def test_passwords_of_all_kinds(run: Run, protocol: str) -> None:
    for n, password in enumerate(PASSWORDS):
        user = f"user{n}@example.com"
        await run.control(
            "POST",
            "/accounts",
            {"username": user, "password": password, "protocol": protocol, "iterations": 1000},
        )
        await run.another_client().sign_in(user, password)


async def test_many_random_exchanges(run: Run) -> None:
    """A, B and S with leading zero bytes turn up in some of these."""
    await run.control("PATCH", f"/accounts/{USER}", {"iterations": 1})
    for _ in range(60):
        assert (await run.client.login(USER, PASSWORD))["ec"] == 0


async def test_wrong_password_and_lock(run: Run) -> None:
    for _ in range(9):
        assert (await run.client.login(USER, "wrong"))["ec"] == -22406
    assert (await run.client.login(USER, "wrong"))["ec"] == -20209
    assert (await run.client.login(USER, PASSWORD))["ec"] == -20209
    await run.control("PATCH", f"/accounts/{USER}", {"locked": False})
    assert (await run.client.login(USER, PASSWORD))["ec"] == 0


async def test_unknown_user(run: Run) -> None:
    assert (await run.client.login("nobody@example.com", "x"))["ec"] == -20101


async def test_user_name_in_another_case(run: Run) -> None:
    assert (await run.client.login(USER.upper(), PASSWORD))["ec"] == 0


async def test_trusted_device(run: Run) -> None:
    await run.control("PATCH", f"/accounts/{USER}", {"second_factor": "trusted_device"})
    status = await run.client.login(USER, PASSWORD)
    assert (status["au"], status["hsc"]) == ("trustedDeviceSecondaryAuth", 409)
    assert "t" not in run.client.spd, "no PET before the second factor"
    await run.control("GET", f"/accounts/{USER}/code", expect=404)

    answer = await run.client.two_factor("GET", "/auth/verify/trusteddevice")
    assert answer.status == 200
    code = (await run.control("GET", f"/accounts/{USER}/code"))["code"]
    assert re.fullmatch(r"\d{6}", code)
    wrong = "000000" if code != "000000" else "000001"
    assert await validate(run, wrong) == -21669
    assert await validate(run, code) == 0
    assert await validate(run, code) == -21669, "a code counts once"

    await run.client.sign_in(USER, PASSWORD)
    stranger = run.another_client()
    assert "au" in await stranger.login(USER, PASSWORD), "another device is not trusted"
    await run.control("POST", f"/accounts/{USER}/untrust")
    assert "au" in await run.client.login(USER, PASSWORD)


async def validate(run: Run, code: str) -> int:
    answer = await run.client.two_factor("GET", "/grandslam/GsService2/validate", security_code=code)
    return int(plistlib.loads(await answer.read())["ec"])


async def test_sms(run: Run) -> None:
    phones = [{"id": 3, "number": "+49 151 0000017"}, {"id": 7, "number": "+1 555 0199", "can_send": False}]
    await run.control("PATCH", f"/accounts/{USER}", {"second_factor": "sms", "phones": phones})
    assert (await run.client.login(USER, PASSWORD))["au"] == "secondaryAuth"

    page = await (await run.client.two_factor("GET", "/auth")).text()
    block = re.search(r'class="boot_args">\s*(\{.*?\})\s*</script>', page, re.S)
    assert block
    listed = json.loads(block[1])["direct"]["phoneNumberVerification"]["trustedPhoneNumbers"]
    assert [(p["id"], p["lastTwoDigits"]) for p in listed] == [(3, "17"), (7, "99")]
    direct = await (await run.client.two_factor("GET", "/auth", Accept="application/json")).json()
    assert direct["phoneNumberVerification"]["trustedPhoneNumbers"] == listed

    assert await sms_error(run, 1) == "-28248", "there is no phone 1"
    assert await sms_error(run, 7) == "-28248"
    assert await sms_error(run, 3) == ""
    code = (await run.control("GET", f"/accounts/{USER}/code?channel=sms:3"))["code"]
    assert await enter(run, 3, "x") == "-21669"
    assert await enter(run, 3, code) == ""
    await run.client.sign_in(USER, PASSWORD)


async def sms_error(run: Run, phone: int) -> str:
    answer = await run.client.two_factor("PUT", "/auth/verify/phone", {"phoneNumber": {"id": phone}, "mode": "sms"})
    return "" if answer.status == 200 else (await answer.json())["serviceErrors"][0]["code"]


async def enter(run: Run, phone: int, code: str) -> str:
    body = {"phoneNumber": {"id": phone}, "mode": "sms", "securityCode": {"code": code}}
    answer = await run.client.two_factor("POST", "/auth/verify/phone/securitycode", body)
    return "" if answer.status == 200 else (await answer.json())["serviceErrors"][0]["code"]


async def test_too_many_codes(run: Run) -> None:
    await run.control("PATCH", f"/accounts/{USER}", {"second_factor": "sms"})
    await run.client.login(USER, PASSWORD)
    assert [await sms_error(run, 1) for _ in range(6)] == [""] * 5 + ["-22979"]
    assert [await enter(run, 1, "none") for _ in range(6)] == ["-21669"] * 5 + ["-22981"]


async def test_listing_phones_may_send(run: Run) -> None:
    await run.control("PATCH", f"/accounts/{USER}", {"second_factor": "sms", "list_sends_sms": True})
    await run.client.login(USER, PASSWORD)
    assert (await run.client.two_factor("GET", "/auth")).status == 201
    assert (await run.control("GET", f"/accounts/{USER}/code"))["channel"] == "sms:1"


async def test_unsupported_step(run: Run) -> None:
    await run.control("PATCH", f"/accounts/{USER}", {"step": "acceptTerms"})
    assert (await run.client.login(USER, PASSWORD))["au"] == "acceptTerms"


async def test_identity_token_is_checked(run: Run) -> None:
    await run.client.login(USER, PASSWORD)
    run.client.spd["GsIdmsToken"] = "x"
    assert (await run.client.two_factor("GET", "/auth")).status == 401


async def test_xcode_client_info_is_refused_at_the_edge(run: Run) -> None:
    run.client.client_info = "<MacBookPro13,2> <macOS;13.1;22C65> <com.apple.AuthKit/1 (com.apple.dt.Xcode/3594.4.19)>"
    headers = {"X-Mme-Client-Info": run.client.client_info}
    async with run.http.get(f"{run.apple}/grandslam/GsService2/lookup", headers=headers) as answer:
        assert answer.status == 503
        assert answer.content_type == "text/html" and len(await answer.read()) < 250


async def test_anisette_is_checked(run: Run) -> None:
    good = run.client.anisette

    async def stale() -> dict[str, str]:
        headers = await good()
        del headers["X-Apple-I-MD"]
        return headers

    run.client.anisette = stale  # type: ignore[method-assign]
    assert (await run.client.login(USER, PASSWORD))["ec"] == -22421


@pytest.mark.parametrize("state", ["account_limit", "server_problem"])
async def test_delegate_failures(run: Run, state: str) -> None:
    await run.control("PATCH", f"/accounts/{USER}", {"mobileme": state})
    await run.client.login(USER, PASSWORD)
    got = await run.client.delegates(USER)
    assert got["status"] == 0 and got["delegates"]["com.apple.mobileme"]["status"] == 1
    assert not run.client.token


async def test_pet_of_somebody_else(run: Run) -> None:
    await run.client.login(USER, PASSWORD)
    run.client.spd["t"]["com.apple.gs.idms.pet"]["token"] = "PET-1-2"
    assert (await run.client.delegates(USER))["status"] == 1


async def test_apptokens(run: Run) -> None:
    from findmy_sim.gsa import app_tokens_checksum

    await run.client.login(USER, PASSWORD)
    spd, app = run.client.spd, "com.apple.gs.xcode.auth"
    query = {"o": "apptokens", "u": spd["adsid"], "app": [app], "c": spd["c"], "t": spd["GsIdmsToken"]}
    good = await run.client.gsa({**query, "checksum": app_tokens_checksum(spd["sk"], spd["adsid"], [app])})
    assert good["Status"]["ec"] == 0 and good["et"].startswith(b"XYZ")
    assert (await run.client.gsa({**query, "checksum": bytes(32)}))["Status"]["ec"] == -20101


async def test_anisette_v1_works_for_login(run: Run) -> None:
    async with run.http.get(f"{run.anisette}/") as answer:
        assert answer.headers["Implementation-Version"]
        v1 = await answer.json()
    assert all(isinstance(value, str) for value in v1.values())

    async def from_v1() -> dict[str, str]:
        async with run.http.get(f"{run.anisette}/") as answer:
            got = await answer.json()
        return {**run.client.own_headers(), **{k: v for k, v in got.items() if k.startswith("X-Apple-I-MD")}}

    run.client.anisette = from_v1  # type: ignore[method-assign]
    await run.client.sign_in(USER, PASSWORD)


async def test_revoked_machine_must_be_provisioned_again(run: Run) -> None:
    await run.client.anisette()
    await run.control("POST", "/anisette/revoke")
    with pytest.raises(AssertionError, match="-45061"):
        await run.client.anisette()
    await run.client.provision()
    await run.client.sign_in(USER, PASSWORD)


async def test_bodies_that_are_no_plist(run: Run) -> None:
    for body in (b"", b"hello", b"<plist><array/></plist>", b"<plist><dict><key>Request</key></dict></plist>"):
        async with run.http.post(f"{run.apple}/grandslam/GsService2", data=body) as answer:
            assert answer.status == 200
            assert plistlib.loads(await answer.read())["Response"]["Status"]["ec"] != 0
