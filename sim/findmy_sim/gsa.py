"""GrandSlam: the login host. SRP exchange, look-up bag, provisioning data, second factor by device and SMS.

Errors travel as `Status.ec` inside an HTTP 200 plist, as Apple does it; only the edge in front of it (client
info that names Xcode) and a bad identity token answer with an HTTP error.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from findmy_sim import plists, srp
from findmy_sim.accounts import MAX_CODES_SENT, MAX_WRONG_CODES, MAX_WRONG_PASSWORDS, PET_LIFETIME, Account, Accounts
from findmy_sim.anisette import Anisette, AnisetteError
from findmy_sim.clock import VirtualClock
from findmy_sim.faults import GSA, Faults

log = logging.getLogger("findmy_sim.gsa")

MAX_SESSIONS = 1000  # half-finished exchanges kept; the oldest gives way
SECONDARY_AUTH = {"trusted_device": "trustedDeviceSecondaryAuth", "sms": "secondaryAuth"}
# ec -> (hsc, message); texts are in the spirit of the real ones, programs match the code.
ERRORS = {
    -20101: (401, "Your Apple ID or password was incorrect."),
    -22406: (401, "Your Apple ID or password was incorrect."),
    -20209: (403, "This Apple ID has been locked for security reasons."),
    -22421: (401, "This action could not be completed. Try again."),
    -36607: (503, "Unable to sign you in to your Apple ID. Try again later."),
    -21669: (401, "Incorrect verification code."),
    -22979: (423, "Too many verification codes have been sent. Try again later."),
    -22981: (423, "Too many verification codes have been tried. Try again later."),
    -28248: (412, "Verification codes cannot be sent to this phone number at this time."),
    -20001: (400, "The request is not understood."),
}
EDGE_PAGE = (
    "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n"
    "<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n<hr><center>Apple</center>\r\n"
    "</body>\r\n</html>\r\n"
)

_FAULT_CODES = {"wrong_password": -22406, "locked": -20209, "bad_anisette": -22421, "unable": -36607}


@dataclass(slots=True)
class Exchange:
    """An SRP exchange between init and complete."""

    account: Account
    user: str
    srp: srp.ServerSession


class GsaError(Exception):
    """Ends an operation with an ec."""

    def __init__(self, ec: int, hsc: int | None = None) -> None:
        super().__init__(ec)
        self.ec = ec
        self.hsc = ERRORS[ec][0] if hsc is None and ec in ERRORS else hsc or 200


def status(ec: int = 0, hsc: int = 200, **more: object) -> dict[str, object]:
    """The Status dictionary."""
    message = ERRORS[ec][1] if ec in ERRORS else ""
    return {"hsc": hsc, "ed": "", "ec": ec, "em": message, **more}


def response(content: dict[str, Any]) -> web.Response:
    """An answer of GsService2."""
    return web.Response(body=plists.dumps({"Response": content}), content_type=plists.CONTENT_TYPE)


def encrypt_spd(session: bytes, spd: dict[str, Any]) -> bytes:
    """spd as a bare dict, AES-256-CBC with PKCS#7 under keys from the session."""
    padder = padding.PKCS7(128).padder()
    padded = padder.update(plists.fragment(spd)) + padder.finalize()
    key, iv = srp.extra_data_key(session), srp.extra_data_iv(session)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def app_tokens_checksum(sk: bytes, adsid: str, apps: list[str]) -> bytes:
    """checksum = HMAC-SHA256(sk, "apptokens" | adsid | app)."""
    return hmac.digest(sk, ("apptokens" + adsid + "".join(apps)).encode(), "sha256")


def encrypt_app_tokens(sk: bytes, content: dict[str, Any], iv: bytes) -> bytes:
    """et = "XYZ" | IV 16 | ciphertext | tag, AES-256-GCM with AAD "XYZ"."""
    return b"XYZ" + iv + AESGCM(sk).encrypt(iv, plists.dumps(content), b"XYZ")


class GrandSlam:
    """The login services."""

    def __init__(
        self,
        seed: str,
        accounts: Accounts,
        anisette: Anisette,
        faults: Faults,
        clock: VirtualClock,
        client_info_trap: bool = True,
    ) -> None:
        self._secret = hashlib.sha256(f"gsa/{seed}".encode()).digest()
        self.accounts = accounts
        self.anisette = anisette
        self.faults = faults
        self.clock = clock
        self.client_info_trap = client_info_trap
        self._exchanges: OrderedDict[str, Exchange] = OrderedDict()
        self._count = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/grandslam/GsService2/lookup", self.lookup),
            web.post("/grandslam/GsService2", self.service),
            web.get("/grandslam/GsService2/validate", self.validate),
            web.post("/grandslam/MidService/startMachineProvisioning", self.start_provisioning),
            web.post("/grandslam/MidService/finishMachineProvisioning", self.finish_provisioning),
            web.get("/auth/verify/trusteddevice", self.push_code),
            web.get("/auth", self.list_phones),
            web.put("/auth/verify/phone", self.send_sms),
            web.post("/auth/verify/phone/securitycode", self.enter_sms),
        ]

    def edge(self, request: web.Request) -> web.Response | None:
        """The edge in front of the login host: 503 with a short page for a client info that names Xcode."""
        if self.client_info_trap and "com.apple.dt.Xcode" in request.headers.get("X-Mme-Client-Info", ""):
            return web.Response(status=503, text=EDGE_PAGE, content_type="text/html")
        return None

    # --- look-up and provisioning -----------------------------------------------------------------------

    async def lookup(self, request: web.Request) -> web.Response:
        """The bag: where each service is - here, everything at this very server."""
        base = f"{request.scheme}://{request.host}"
        service = f"{base}/grandslam/GsService2"
        urls = {
            "gsService": service,
            "validateCode": f"{service}/validate",
            "secondaryAuth": f"{base}/auth",
            "trustedDeviceSecondaryAuth": f"{base}/auth/verify/trusteddevice",
            "midStartProvisioning": f"{base}/grandslam/MidService/startMachineProvisioning",
            "midFinishProvisioning": f"{base}/grandslam/MidService/finishMachineProvisioning",
            "loginDelegates": f"{base}/setup/iosbuddy/loginDelegates",
        }
        body = plists.dumps({"urls": urls})
        return web.Response(body=body, content_type=plists.CONTENT_TYPE)

    async def start_provisioning(self, request: web.Request) -> web.Response:
        try:
            plists.loads(await request.read())["Request"]
        except (plists.BadPlistError, KeyError):
            return response({"Status": status(-20001, 400)})
        return response({"Status": status(), "spim": base64.b64encode(self.anisette.spim()).decode()})

    async def finish_provisioning(self, request: web.Request) -> web.Response:
        try:
            cpim = plists.loads(await request.read())["Request"]["cpim"]
            raw = cpim if isinstance(cpim, bytes) else base64.b64decode(cpim, validate=True)
        except (plists.BadPlistError, KeyError, TypeError, ValueError):
            return response({"Status": status(-20001, 400)})
        end = self.anisette.end_data(raw)
        if end is None:
            return response({"Status": status(-20001, 400)})
        ptm, tk = (base64.b64encode(part).decode() for part in end)
        return response({"Status": status(), "ptm": ptm, "tk": tk})

    # --- SRP ------------------------------------------------------------------------------------------

    async def service(self, request: web.Request) -> web.Response:
        """POST GsService2: init, complete, apptokens."""
        try:
            query = plists.loads(await request.read()).get("Request")
            if not isinstance(query, dict):
                raise GsaError(-20001)
            operation = {"init": self._init, "complete": self._complete, "apptokens": self._app_tokens}.get(
                str(query.get("o"))
            )
            if operation is None:
                raise GsaError(-20001)
            return operation(query)
        except plists.BadPlistError:
            return response({"Status": status(-20001, 400)})
        except GsaError as err:
            return response({"Status": status(err.ec, err.hsc)})

    def _device(self, query: dict[str, Any]) -> str:
        cpd = query.get("cpd")
        if not isinstance(cpd, dict):
            raise GsaError(-20001)
        try:
            return self.anisette.check(cpd, self.clock.now())
        except AnisetteError as err:
            log.warning("anisette refused", extra={"reason": str(err)})
            raise GsaError(-22421) from err

    def _common_faults(self, endpoint: str, account: str) -> None:
        fault = self.faults.take(GSA, endpoint, account, "", *_FAULT_CODES, "reprovision", "resync")
        if fault is None:
            return
        if fault.kind in _FAULT_CODES:
            raise GsaError(_FAULT_CODES[fault.kind])
        raise GsaError(-22421, 433 if fault.kind == "reprovision" else 434)

    def _init(self, query: dict[str, Any]) -> web.Response:
        user, a_public, offered = query.get("u"), query.get("A2k"), query.get("ps")
        if not isinstance(user, str) or not isinstance(a_public, bytes) or not isinstance(offered, list):
            raise GsaError(-20001)
        self._device(query)
        self._common_faults("gsa.init", user)
        account = self.accounts.find(user)
        if account is None:
            raise GsaError(-20101)
        if account.locked:
            raise GsaError(-20209)
        if account.protocol not in offered or len(a_public) > srp.WIDTH:
            raise GsaError(-20001)
        exchange = self._open(account, user, a_public)
        key, session = exchange
        return response({"Status": status(), **self._challenge(account, key, session)})

    def _open(self, account: Account, user: str, a_public: bytes) -> tuple[str, srp.ServerSession]:
        """Start an exchange; its secret and its name hang on the seed and on A."""
        self._count += 1
        label = f"{user}|{self._count}".encode() + a_public
        b = int.from_bytes(hmac.digest(self._secret, b"b" + label, "sha512"), "big")
        key = "c-" + hmac.digest(self._secret, b"c" + label, "sha256").hex()[:24]
        try:
            session = srp.ServerSession(user, self.accounts.verifier(account), a_public, b)
        except ValueError as err:
            raise GsaError(-20001) from err
        self._exchanges[key] = Exchange(account, user, session)
        if len(self._exchanges) > MAX_SESSIONS:
            self._exchanges.popitem(last=False)
        return key, session

    def _challenge(self, account: Account, key: str, session: srp.ServerSession) -> dict[str, object]:
        verifier = session.verifier
        answer: dict[str, object] = {
            "i": verifier.iterations,
            "s": verifier.salt,
            "sp": verifier.protocol,
            "c": key,
            "B": srp.pad(session.b_public),
        }
        fault = self.faults.take(GSA, "gsa.init", account.username, "", "unknown_sp", "zero_b", "few_iterations")
        if fault is not None:
            name, value = {
                "unknown_sp": ("sp", "s2k_v3"),
                "zero_b": ("B", srp.pad(srp.N)),
                "few_iterations": ("i", 10),
            }[fault.kind]
            answer[name] = value
        return answer

    def _complete(self, query: dict[str, Any]) -> web.Response:
        key, m1 = query.get("c"), query.get("M1")
        if not isinstance(key, str) or not isinstance(m1, bytes):
            raise GsaError(-20001)
        device = self._device(query)
        exchange = self._exchanges.pop(key, None)
        if exchange is None or exchange.user != query.get("u"):
            raise GsaError(-22406)
        account = exchange.account
        self._common_faults("gsa.complete", account.username)
        m2 = exchange.srp.check(m1)
        if m2 is None:
            self._wrong_password(account)
        account.wrong_passwords = 0
        return self._finish(account, exchange.srp, m2 or b"", device)

    def _wrong_password(self, account: Account) -> None:
        account.wrong_passwords += 1
        if account.wrong_passwords >= MAX_WRONG_PASSWORDS:
            account.locked = True
            raise GsaError(-20209)
        raise GsaError(-22406)

    def _step(self, account: Account, device: str) -> str:
        """The `au` of a login, empty when nothing more is due."""
        fault = self.faults.take(GSA, "gsa.complete", account.username, "", "unsupported_step", "force_2fa")
        if fault is not None and fault.kind == "unsupported_step":
            return str(fault.params.get("step", "repair"))
        if fault is not None:
            account.force_second_factor = max(1, account.force_second_factor)
        if account.step:
            return account.step
        return SECONDARY_AUTH.get(self.accounts.due_factor(account, device), "")

    def _finish(self, account: Account, session: srp.ServerSession, m2: bytes, device: str) -> web.Response:
        step = self._step(account, device)
        spd = encrypt_spd(session.session, self._spd(account, with_pet=not step))
        np = srp.negotiation_proof(session.session, session.verifier.protocol, spd)
        bad = self.faults.take(GSA, "gsa.complete", account.username, "", "bad_m2", "bad_np")
        if bad is not None and bad.kind == "bad_m2":
            m2 = bytes([m2[0] ^ 1]) + m2[1:]
        elif bad is not None:
            np = bytes([np[0] ^ 1]) + np[1:]
        account.logins += 1
        log.info("login", extra={"account": account.username, "step": step or "none"})
        more = {"au": step} if step else {}
        return response(
            {
                "Status": status(0, 409 if step else 200, **more),
                "M2": m2,
                "spd": spd,
                "np": np,
                "ptxid": f"p-{self._count:016x}",
            }
        )

    def _sk(self, account: Account) -> bytes:
        return hmac.digest(self._secret, b"sk" + account.adsid.encode(), "sha256")

    def _spd(self, account: Account, with_pet: bool) -> dict[str, Any]:
        spd: dict[str, Any] = {
            "adsid": account.adsid,
            "GsIdmsToken": self.accounts.idms_token(account),
            "acname": account.username,
            "fn": "Sim",
            "ln": "Ulated",
            "status-code": 200 if with_pet else 409,
            "sk": self._sk(account),
            "c": hmac.digest(self._secret, b"cookie" + account.adsid.encode(), "sha384"),
            "DsPrsId": account.dsid,
        }
        if with_pet:
            token, expiry = self.accounts.pet(account)
            life = int(PET_LIFETIME)
            entry = {"token": token, "expiry": expiry, "duration": life, "cts": expiry - life * 1000}
            spd["t"] = {"com.apple.gs.idms.pet": entry}
        return spd

    def _app_tokens(self, query: dict[str, Any]) -> web.Response:
        self._device(query)
        adsid, apps, checksum = query.get("u"), query.get("app"), query.get("checksum")
        account = self.accounts.by_identity(str(adsid), str(query.get("t")))
        if account is None or not isinstance(apps, list) or not isinstance(checksum, bytes):
            raise GsaError(-20101)
        names = [str(app) for app in apps]
        sk = self._sk(account)
        if not hmac.compare_digest(checksum, app_tokens_checksum(sk, account.adsid, names)):
            raise GsaError(-20101)
        _, expiry = self.accounts.pet(account)
        tokens = {name: {"expiry": expiry, "token": f"app-{secrets.token_hex(16)}"} for name in names}
        et = encrypt_app_tokens(sk, {"t": tokens}, secrets.token_bytes(16))
        return response({"Status": status(), "et": et})

    # --- second factor ----------------------------------------------------------------------------------

    def _identity(self, request: web.Request) -> tuple[Account, str]:
        """The account of an identity token and the device; 401 otherwise."""
        try:
            text = base64.b64decode(request.headers.get("X-Apple-Identity-Token", ""), validate=True).decode()
            adsid, token = text.split(":", 1)
        except ValueError as err:
            raise web.HTTPUnauthorized(text="identity token missing or broken") from err
        account = self.accounts.by_identity(adsid, token)
        if account is None:
            raise web.HTTPUnauthorized(text="identity token unknown")
        try:
            return account, self.anisette.check(request.headers, self.clock.now())
        except AnisetteError as err:
            log.warning("anisette refused", extra={"reason": str(err)})
            raise web.HTTPUnauthorized(text="anisette data not accepted") from err

    async def push_code(self, request: web.Request) -> web.Response:
        """Show a code on the trusted devices."""
        account, _ = self._identity(request)
        self.accounts.send_code(account, "trusted_device")
        log.info("code sent", extra={"account": account.username, "channel": "trusted_device"})
        return web.Response(body=plists.dumps({"Status": status()}), content_type=plists.CONTENT_TYPE)

    async def validate(self, request: web.Request) -> web.Response:
        """Take the code that a trusted device showed."""
        account, device = self._identity(request)
        refused = self.faults.take(GSA, "2fa.validate", account.username, "", "wrong_code")
        ec = self._try_code(account, "trusted_device", request.headers.get("security-code", ""), device, bool(refused))
        body = {**status(ec, ERRORS[ec][0] if ec else 200), "Status": status(ec)}
        return web.Response(body=plists.dumps(body), content_type=plists.CONTENT_TYPE)

    def _try_code(self, account: Account, channel: str, digits: str, device: str, refused: bool) -> int:
        """0, or the ec that says why the code was not taken."""
        if account.wrong_codes >= MAX_WRONG_CODES:
            return -22981
        if refused or not self.accounts.enter_code(account, channel, digits, device):
            return -21669
        log.info("second factor passed", extra={"account": account.username, "channel": channel})
        return 0

    async def list_phones(self, request: web.Request) -> web.Response:
        """The account's phones, as JSON or inside HTML; may send an SMS by itself."""
        account, _ = self._identity(request)
        code = 200
        if account.list_sends_sms and account.phones:
            self._sms(account, account.phones[0].id)
            code = 201
        numbers = [
            {
                "id": phone.id,
                "numberWithDialCode": phone.number[:-2].translate(_DOTS) + phone.last_two,
                "lastTwoDigits": phone.last_two,
                "pushMode": "sms",
            }
            for phone in account.phones
        ]
        content = {"direct": {"phoneNumberVerification": {"trustedPhoneNumbers": numbers}}}
        if "application/json" in request.headers.get("Accept", ""):
            return web.json_response(content["direct"], status=code)
        script = json.dumps(content).replace("</", "<\\/")
        title = html.escape("Two-Factor Authentication")
        page = (
            f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>\n"
            f'<script type="application/json" class="boot_args">\n{script}\n</script>\n</body></html>\n'
        )
        return web.Response(status=code, text=page, content_type="text/html")

    async def _phone_id(self, request: web.Request) -> tuple[object, dict[str, Any]]:
        try:
            body = json.loads(await request.read())
            return body["phoneNumber"]["id"], body
        except (ValueError, KeyError, TypeError) as err:
            raise web.HTTPBadRequest(text="the request is not understood") from err

    def _sms(self, account: Account, phone_id: object) -> int:
        """Send an SMS; 0 or the service error."""
        fault = self.faults.take(GSA, "2fa.sms", account.username, "", "too_many_codes", "cannot_send")
        phone = account.phone(phone_id)
        if phone is None or not phone.can_send or (fault is not None and fault.kind == "cannot_send"):
            return -28248
        if account.codes_sent >= MAX_CODES_SENT or fault is not None:
            return -22979
        account.codes_sent += 1
        self.accounts.send_code(account, f"sms:{phone.id}")
        log.info("code sent", extra={"account": account.username, "channel": f"sms:{phone.id}"})
        return 0

    async def send_sms(self, request: web.Request) -> web.Response:
        account, _ = self._identity(request)
        phone_id, body = await self._phone_id(request)
        if body.get("mode") != "sms":
            return service_error(-28248)
        ec = self._sms(account, phone_id)
        return service_error(ec) if ec else web.json_response({"phoneNumber": {"id": phone_id}, "mode": "sms"})

    async def enter_sms(self, request: web.Request) -> web.Response:
        account, device = self._identity(request)
        phone_id, body = await self._phone_id(request)
        digits = (body.get("securityCode") or {}).get("code") if isinstance(body.get("securityCode"), dict) else None
        refused = self.faults.take(GSA, "2fa.code", account.username, "", "wrong_code")
        ec = self._try_code(account, f"sms:{phone_id}", str(digits), device, bool(refused))
        return service_error(ec) if ec else web.json_response({"phoneNumber": {"id": phone_id}})


_DOTS = {ord(digit): "•" for digit in "0123456789"}


def service_error(ec: int) -> web.Response:
    """An error of the SMS services: serviceErrors[].code as text."""
    http, message = ERRORS[ec]
    error = {"code": str(ec), "title": "Verification failed", "message": message}
    return web.json_response({"serviceErrors": [error], "hasError": True}, status=http)
