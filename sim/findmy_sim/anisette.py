"""The Anisette side: one-time passwords and machine ids, v1, v3 and v3 provisioning.

Real servers run Apple's library; this one makes values of the same shape and length that carry their own
proof (HMAC under the simulator's seed), so that the Apple side can check them and a restart forgets nothing.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import struct
import uuid
from collections.abc import Callable, Mapping

from aiohttp import WSMsgType, web

from findmy_sim.clock import format_time, parse_time
from findmy_sim.faults import ANISETTE, Faults

log = logging.getLogger("findmy_sim.anisette")

RINFO = "17106176"
# Real servers still hand out the Xcode form, which the login host refuses since September 2026: a client
# that passes it on must fail here as well.
CLIENT_INFO = "<MacBookPro13,2> <macOS;13.1;22C65> <com.apple.AuthKit/1 (com.apple.dt.Xcode/3594.4.19)>"
USER_AGENT = "akd/1.0 CFNetwork/808.1.4"
OTP_LIFETIME = 90.0  # seconds; apple-private-apis calls older ones dead
CLOCK_TOLERANCE = 120.0  # how far X-Apple-I-Client-Time may be off
STEP_TIMEOUT = 3.0  # the real server's default per provisioning step
IDENTIFIER_LEN = 16

# Headers every request to Apple must carry (facts, 3.2 and 8.1).
REQUIRED = (
    "X-Apple-I-MD",
    "X-Apple-I-MD-M",
    "X-Apple-I-MD-LU",
    "X-Apple-I-MD-RINFO",
    "X-Mme-Device-Id",
    "X-Apple-I-Client-Time",
    "X-Apple-I-TimeZone",
    "X-Apple-Locale",
)

_OTP = struct.Struct(">II16sI")  # 28 bytes
_OTP_BODY = struct.Struct(">II8s")  # issue time, counter, proof
_MACHINE = struct.Struct(">I16sQ32s")  # version, identifier, provisioning time in ms, proof: 60 bytes
_ADI_MAGIC = b"ADI\x03"


class AnisetteError(Exception):
    """Anisette data that Apple's side does not accept; the message is for the log."""


class Anisette:
    """Makes and checks anisette data."""

    def __init__(self, seed: str, wall: Callable[[], float], otp_lifetime: float = OTP_LIFETIME) -> None:
        self._secret = hashlib.sha256(f"anisette/{seed}".encode()).digest()
        self.wall = wall
        self.otp_lifetime = otp_lifetime
        self._counter = 0
        self._revoked_ms = 0  # machines provisioned up to then are forgotten
        # The v1 server is a machine itself.
        self.v1_identifier = self._proof(b"v1")[:IDENTIFIER_LEN]

    def _proof(self, *parts: bytes) -> bytes:
        return hmac.digest(self._secret, b"|".join(parts), "sha256")

    # --- machines -----------------------------------------------------------------------------------

    def provision(self, identifier: bytes, provisioned_ms: int | None = None) -> bytes:
        """A new adi_pb for a device."""
        moment = int(self.wall() * 1000) if provisioned_ms is None else provisioned_ms
        body = _ADI_MAGIC + identifier + moment.to_bytes(8, "big")
        filler = hashlib.shake_256(self._proof(b"adi filler", body)).digest(180)
        return body + filler + self._proof(b"adi", body + filler)

    def machine(self, identifier: bytes, adi_pb: bytes) -> bytes | None:
        """The machine id that belongs to an adi_pb; None = not provisioned (any more)."""
        body, proof = adi_pb[:-32], adi_pb[-32:]
        if not hmac.compare_digest(proof, self._proof(b"adi", body)) or not body.startswith(_ADI_MAGIC + identifier):
            return None
        moment = int.from_bytes(body[20:28], "big")
        return None if moment <= self._revoked_ms else self._machine(identifier, moment)

    def _machine(self, identifier: bytes, moment: int) -> bytes:
        proof = self._proof(b"machine", identifier, moment.to_bytes(8, "big"))
        return _MACHINE.pack(1, identifier, moment, proof)

    def v1_machine(self) -> bytes:
        """The machine id of the v1 server."""
        return self._machine(self.v1_identifier, self._revoked_ms + 1)

    def revoke(self) -> None:
        """Forget every provisioned machine (as when the server's volume was lost)."""
        self._revoked_ms = int(self.wall() * 1000)

    # --- one-time passwords -------------------------------------------------------------------------

    def otp(self, machine: bytes, age: float = 0.0) -> bytes:
        """A fresh one-time password (or one that is `age` seconds old) for a machine."""
        self._counter += 1
        issued = int(self.wall() - age)
        proof = self._proof(b"otp", machine, struct.pack(">II", issued, self._counter))[:8]
        return _OTP.pack(5, 16, _OTP_BODY.pack(issued, self._counter, proof), 2)

    def _check_otp(self, machine: bytes, otp: bytes) -> None:
        if len(otp) != _OTP.size:
            raise AnisetteError("the one-time password has a wrong length")
        issued, counter, proof = _OTP_BODY.unpack(_OTP.unpack(otp)[2])
        if not hmac.compare_digest(proof, self._proof(b"otp", machine, struct.pack(">II", issued, counter))[:8]):
            raise AnisetteError("the one-time password is not of this machine")
        if self.wall() - issued > self.otp_lifetime:
            raise AnisetteError("the one-time password is too old")

    def _check_machine(self, machine: bytes) -> bytes:
        if len(machine) != _MACHINE.size:
            raise AnisetteError("the machine id has a wrong length")
        identifier: bytes
        _, identifier, moment, _ = _MACHINE.unpack(machine)
        if not hmac.compare_digest(machine, self._machine(identifier, moment)):
            raise AnisetteError("unknown machine")
        if moment <= self._revoked_ms:
            raise AnisetteError("the machine was provisioned before its state was lost")
        return identifier

    def check(self, fields: Mapping[str, object], virtual_now: float) -> str:
        """Check a request's anisette set; gives the device's name for trust, or raises AnisetteError.

        The client's clock may be the wall's or the simulator's.
        """
        values = {name.lower(): value for name, value in fields.items()}
        for name in REQUIRED:
            if not str(values.get(name.lower(), "")):
                raise AnisetteError(f"{name} is missing")
        machine = _b64(values["x-apple-i-md-m"])
        self._check_machine(machine)
        self._check_otp(machine, _b64(values["x-apple-i-md"]))
        self._check_time(str(values["x-apple-i-client-time"]), virtual_now)
        device = f"{values['x-mme-device-id']}|{values['x-apple-i-md-lu']}|{machine.hex()}"
        return hashlib.sha256(device.encode()).hexdigest()

    def _check_time(self, text: str, virtual_now: float) -> None:
        # FindMy.py writes +00:00Z; Apple tolerates it.
        if text.endswith("+00:00Z"):
            text = text[:-1]
        try:
            moment = parse_time(text)
        except ValueError as err:
            raise AnisetteError("X-Apple-I-Client-Time is no time") from err
        if min(abs(moment - self.wall()), abs(moment - virtual_now)) > CLOCK_TOLERANCE:
            raise AnisetteError("X-Apple-I-Client-Time is off")

    # --- what provisioning exchanges with Apple -------------------------------------------------------

    def spim(self) -> bytes:
        """Start-provisioning data; made by Apple's side, checked by end_data."""
        moment = int(self.wall()).to_bytes(8, "big")
        return b"SPIM" + moment + self._proof(b"spim", moment)

    def cpim(self, identifier: bytes, spim: bytes) -> bytes | None:
        """What the library answers to spim; None if spim is not Apple's."""
        if len(spim) != 44 or not hmac.compare_digest(spim[12:], self._proof(b"spim", spim[4:12])):
            return None
        return b"CPIM" + identifier + self._proof(b"cpim", identifier, spim)

    def end_data(self, cpim: bytes) -> tuple[bytes, bytes] | None:
        """(ptm, tk) for a cpim; None if it has the wrong shape."""
        if len(cpim) != 4 + IDENTIFIER_LEN + 32 or not cpim.startswith(b"CPIM"):
            return None
        return b"PTM" + self._proof(b"ptm", cpim), b"TK" + self._proof(b"tk", cpim)


def _b64(value: object) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except ValueError as err:
        raise AnisetteError("not base64") from err


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class AnisetteServer:
    """The HTTP face: `GET /`, `/v3/client_info`, `/v3/get_headers`, `/v3/provisioning_session`."""

    def __init__(self, anisette: Anisette, faults: Faults) -> None:
        self.anisette = anisette
        self.faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.v1),
            web.get("/v3/client_info", self.client_info),
            web.post("/v3/get_headers", self.get_headers),
            web.get("/v3/provisioning_session", self.provision),
        ]

    def _headers(self, machine: bytes, endpoint: str) -> dict[str, str]:
        fault = self.faults.take(ANISETTE, endpoint, "", "", "missing_otp", "stale_otp")
        age = 3600.0 if fault is not None and fault.kind == "stale_otp" else 0.0
        headers = {
            "X-Apple-I-MD": _text(self.anisette.otp(machine, age)),
            "X-Apple-I-MD-M": _text(machine),
            "X-Apple-I-MD-RINFO": RINFO,
        }
        if fault is not None and fault.kind == "missing_otp":
            del headers["X-Apple-I-MD"]
        return headers

    async def v1(self, request: web.Request) -> web.Response:
        identifier = self.anisette.v1_identifier
        body = {
            "X-Apple-I-Client-Time": format_time(self.anisette.wall()),
            **self._headers(self.anisette.v1_machine(), "anisette.v1"),
            "X-Apple-I-MD-LU": hashlib.sha256(identifier).hexdigest().upper(),
            "X-Apple-I-SRL-NO": "0",
            "X-Apple-I-TimeZone": "UTC",
            "X-Apple-Locale": "en_US",
            "X-MMe-Client-Info": CLIENT_INFO,
            "X-Mme-Device-Id": str(uuid.UUID(bytes=identifier)).upper(),
        }
        return web.json_response(body, headers={"Implementation-Version": "findmy-sim"})

    async def client_info(self, request: web.Request) -> web.Response:
        return web.json_response({"client_info": CLIENT_INFO, "user_agent": USER_AGENT})

    async def get_headers(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
            identifier, adi_pb = _b64(body["identifier"]), _b64(body["adi_pb"])
        except (ValueError, KeyError, TypeError, AnisetteError):
            return web.json_response({"result": "GetHeadersError", "message": "the request is not understood"})
        fault = self.faults.take(ANISETTE, "anisette.v3.headers", "", "", "not_provisioned", "headers_error")
        machine = self.anisette.machine(identifier, adi_pb)
        if machine is None or fault is not None:
            code = -45054 if fault is not None and fault.kind == "headers_error" else -45061
            return web.json_response({"result": "GetHeadersError", "message": f"ADI error: {code}"})
        return web.json_response({"result": "Headers", **self._headers(machine, "anisette.v3.headers")})

    async def provision(self, request: web.Request) -> web.WebSocketResponse:
        """The provisioning conversation; every step has STEP_TIMEOUT seconds."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            await self._converse(socket)
        except TimeoutError:
            await socket.send_json({"result": "Timeout"})
        except _RefusedError as err:
            await socket.send_json(err.answer)
        await socket.close()
        return socket

    async def _converse(self, socket: web.WebSocketResponse) -> None:
        endpoint = "anisette.v3.provisioning"
        await socket.send_json({"result": "GiveIdentifier"})
        identifier = await _field(socket, "identifier", "InvalidIdentifier")
        if self.faults.take(ANISETTE, endpoint, "", "", "provision_timeout"):
            raise TimeoutError
        if len(identifier) != IDENTIFIER_LEN or self.faults.take(ANISETTE, endpoint, "", "", "invalid_identifier"):
            raise _RefusedError("InvalidIdentifier")
        await socket.send_json({"result": "GiveStartProvisioningData"})
        spim = await _field(socket, "spim", "StartProvisioningError")
        cpim = self.anisette.cpim(identifier, spim)
        if cpim is None or self.faults.take(ANISETTE, endpoint, "", "", "start_error"):
            raise _RefusedError("StartProvisioningError", "ADI error: -45034")
        await socket.send_json({"result": "GiveEndProvisioningData", "cpim": _text(cpim)})
        ptm, tk = await _fields(socket, ("ptm", "tk"), "EndProvisioningError")
        if (ptm, tk) != self.anisette.end_data(cpim) or self.faults.take(ANISETTE, endpoint, "", "", "end_error"):
            raise _RefusedError("EndProvisioningError", "ADI error: -45033")
        log.info("provisioned", extra={"device": hashlib.sha256(identifier).hexdigest()[:12]})
        await socket.send_json({"result": "ProvisioningSuccess", "adi_pb": _text(self.anisette.provision(identifier))})


class _RefusedError(Exception):
    def __init__(self, result: str, message: str = "") -> None:
        super().__init__(result)
        self.answer = {"result": result, **({"message": message} if message else {})}


async def _field(socket: web.WebSocketResponse, name: str, error: str) -> bytes:
    return (await _fields(socket, (name,), error))[0]


async def _fields(socket: web.WebSocketResponse, names: tuple[str, ...], error: str) -> tuple[bytes, ...]:
    async with asyncio.timeout(STEP_TIMEOUT):
        message = await socket.receive()
    if message.type is not WSMsgType.TEXT:
        raise _RefusedError(error, "a text frame was expected")
    try:
        body = json.loads(message.data)
        return tuple(_b64(body[name]) for name in names)
    except (ValueError, KeyError, TypeError, AnisetteError) as err:
        raise _RefusedError(error, "the frame is not understood") from err
