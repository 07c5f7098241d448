"""A small Find My client for the tests: its SRP and its decryption are written here, apart from the simulator's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import plistlib
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

# RFC 5054, appendix A, 2048-bit group.
N = int(
    """AC6BDB41 324A9A9B F166DE5E 1389582F AF72B665 1987EE07 FC319294 3DB56050 A37329CB B4A099ED 8193E075
    7767A13D D52312AB 4B03310D CD7F48A9 DA04FD50 E8083969 EDB767B0 CF609517 9A163AB3 661A05FB D5FAAAE8
    2918A996 2F0B93B8 55F97993 EC975EEA A80D740A DBF4FF74 7359D041 D5C33EA7 1D281E44 6B14773B CA97B43A
    23FB8016 76BD207A 436C6481 F1D2B907 8717461A 5B9D32E6 88F87748 544523B5 24B0D57D 5EA77A27 75D2ECFA
    032CFBDB F52FB378 61602790 04E57AE6 AF874E73 03CE5329 9CCC041C 7BC308D8 2A5698F3 A8D0C382 71AE35F8
    E9DBFBB6 94B5C803 D89F7AE4 35DE236D 525F5475 9B65E372 FCD68EF2 0FA7111F 9E4AFF73""".replace(" ", "").replace(
        "\n", ""
    ),
    16,
)
CLIENT_INFO = "<MacBookPro18,3> <Mac OS X;13.4.1;22F8> <com.apple.AuthKit/1 (com.apple.akd/1.0)>"


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def wide(value: int) -> bytes:
    return value.to_bytes(256, "big")


def short(value: int) -> bytes:
    return wide(value).lstrip(b"\0")


class SrpClient:
    """SRP-6a with Apple's choices."""

    def __init__(self, user: str, password: str) -> None:
        self.user, self.password = user, password
        self.a = secrets.randbits(256)
        self.A = pow(2, self.a, N)

    def answer(self, salt: bytes, iterations: int, protocol: str, b_public: bytes) -> bytes:
        digest = hashlib.sha256(self.password.encode()).digest()
        secret = digest if protocol == "s2k" else digest.hex().encode()
        key = hashlib.pbkdf2_hmac("sha256", secret, salt, iterations, 32)
        x = int.from_bytes(sha(salt, sha(b":", key)), "big")
        big_b = int.from_bytes(b_public, "big")
        assert big_b % N != 0, "B is zero"
        k = int.from_bytes(sha(wide(N), wide(2)), "big")
        u = int.from_bytes(sha(wide(self.A), wide(big_b)), "big")
        shared = pow((big_b - k * pow(2, x, N)) % N, self.a + u * x, N)
        self.K = sha(short(shared))
        mixed = bytes(p ^ q for p, q in zip(sha(wide(N)), sha(wide(2)), strict=True))
        m1 = sha(mixed, sha(self.user.encode()), salt, short(self.A), short(big_b), self.K)
        self.M2 = sha(short(self.A), m1, self.K)
        return m1

    def open_spd(self, spd: bytes) -> dict[str, Any]:
        key = hmac.digest(self.K, b"extra data key:", "sha256")
        iv = hmac.digest(self.K, b"extra data iv:", "sha256")[:16]
        decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        plain = decryptor.update(spd) + decryptor.finalize()
        plain = plain[: -plain[-1]]
        assert plain.startswith(b"<dict>")
        return plistlib.loads(b'<?xml version="1.0"?><plist version="1.0">' + plain + b"</plist>")

    def proof(self, protocol: str, spd: bytes) -> bytes:
        covered = b"s2k,s2k_fo||" + protocol.encode() + b"|" + len(spd).to_bytes(4, "little") + spd + b"||"
        return hmac.digest(hmac.digest(self.K, b"HMAC key:", "sha256"), sha(covered), "sha256")


def open_report(private: bytes, payload: bytes) -> dict[str, int]:
    """Decrypt with the library's own X9.63 and a separate AES-GCM interface."""
    skip = len(payload) - 88
    confidence, point = payload[4 + skip], payload[5 + skip : 62 + skip]
    key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP224R1())
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP224R1(), point))
    secret = X963KDF(SHA256(), 32, point).derive(shared)
    decryptor = Cipher(algorithms.AES(secret[:16]), modes.GCM(secret[16:], payload[-16:])).decryptor()
    plain = decryptor.update(payload[62 + skip : 72 + skip]) + decryptor.finalize()
    return {
        "timestamp_unix": int.from_bytes(payload[:4], "big") + 978307200,
        "confidence": confidence,
        "lat_e7": int.from_bytes(plain[:4], "big", signed=True),
        "lon_e7": int.from_bytes(plain[4:8], "big", signed=True),
        "horizontal_accuracy": plain[8],
        "status": plain[9],
    }


class Client:
    """Talks to a running simulator the way an Apple device does."""

    def __init__(self, session: aiohttp.ClientSession, apple: str, anisette: str) -> None:
        self.http, self.apple, self.anisette_url = session, apple, anisette
        self.identifier = secrets.token_bytes(16)
        self.adi_pb = b""
        self.spd: dict[str, Any] = {}
        self.dsid = self.token = ""
        self.client_info = CLIENT_INFO

    # --- anisette ---------------------------------------------------------------------------------------

    def own_headers(self) -> dict[str, str]:
        return {
            "X-Apple-I-MD-LU": hashlib.sha256(self.identifier).hexdigest(),
            "X-Mme-Device-Id": str(uuid.UUID(bytes=self.identifier)).upper(),
            "X-Apple-I-SRL-NO": "0",
            "X-Apple-I-Client-Time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "X-Apple-I-TimeZone": "UTC",
            "X-Apple-Locale": "en_US",
            "loc": "en_US",
        }

    async def provision(self) -> dict[str, Any]:
        """The v3 conversation; gives the last frame."""
        info = {"X-Mme-Client-Info": self.client_info, **self.own_headers()}
        async with self.http.ws_connect(f"{self.anisette_url}/v3/provisioning_session") as socket:
            while True:
                frame = await socket.receive_json()
                match frame["result"]:
                    case "GiveIdentifier":
                        await socket.send_json({"identifier": base64.b64encode(self.identifier).decode()})
                    case "GiveStartProvisioningData":
                        start = await self.midservice("midStartProvisioning", {}, info)
                        await socket.send_json({"spim": start["spim"]})
                    case "GiveEndProvisioningData":
                        end = await self.midservice("midFinishProvisioning", {"cpim": frame["cpim"]}, info)
                        await socket.send_json({"ptm": end["ptm"], "tk": end["tk"]})
                    case "ProvisioningSuccess":
                        self.adi_pb = base64.b64decode(frame["adi_pb"])
                        return frame
                    case _:
                        return frame

    async def midservice(self, name: str, request: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        async with self.http.get(f"{self.apple}/grandslam/GsService2/lookup", headers=headers) as answer:
            url = plistlib.loads(await answer.read())["urls"][name]
        body = plistlib.dumps({"Header": {}, "Request": request})
        async with self.http.post(url, data=body, headers=headers) as answer:
            return plistlib.loads(await answer.read())["Response"]

    async def anisette(self) -> dict[str, str]:
        """A fresh set of anisette headers."""
        if not self.adi_pb:
            assert (await self.provision())["result"] == "ProvisioningSuccess"
        body = {
            "identifier": base64.b64encode(self.identifier).decode(),
            "adi_pb": base64.b64encode(self.adi_pb).decode(),
        }
        async with self.http.post(f"{self.anisette_url}/v3/get_headers", json=body) as answer:
            got = await answer.json()
        assert got.pop("result") == "Headers", got
        return {**got, **self.own_headers()}

    # --- login ------------------------------------------------------------------------------------------

    async def gsa(self, request: dict[str, Any]) -> dict[str, Any]:
        cpd = {"bootstrap": True, "icscrec": True, "pbe": False, "prkgen": True, "svct": "iCloud"}
        cpd |= await self.anisette()
        body = plistlib.dumps({"Header": {"Version": "1.0.1"}, "Request": {"cpd": cpd, **request}})
        headers = {"Content-Type": "text/x-xml-plist", "X-MMe-Client-Info": self.client_info}
        async with self.http.post(f"{self.apple}/grandslam/GsService2", data=body, headers=headers) as answer:
            assert answer.status == 200, answer.status
            return plistlib.loads(await answer.read())["Response"]

    async def login(self, user: str, password: str) -> dict[str, Any]:
        """init and complete; gives the Status."""
        srp = SrpClient(user, password)
        init = await self.gsa({"o": "init", "u": user, "ps": ["s2k", "s2k_fo"], "A2k": wide(srp.A)})
        if init["Status"]["ec"] != 0:
            return init["Status"]
        m1 = srp.answer(init["s"], init["i"], init["sp"], init["B"])
        done = await self.gsa({"o": "complete", "u": user, "c": init["c"], "M1": m1})
        if done["Status"]["ec"] != 0:
            return done["Status"]
        assert done["M2"] == srp.M2, "the server's proof is wrong"
        assert done["np"] == srp.proof(init["sp"], done["spd"]), "the negotiation proof is wrong"
        self.spd = srp.open_spd(done["spd"])
        return done["Status"]

    async def two_factor(self, method: str, path: str, body: Any = None, **headers: str) -> aiohttp.ClientResponse:
        """A request of the second-factor services."""
        identity = base64.b64encode(f"{self.spd['adsid']}:{self.spd['GsIdmsToken']}".encode()).decode()
        headers |= {"X-Apple-Identity-Token": identity, "X-Mme-Client-Info": self.client_info}
        headers = {k.replace("_", "-"): v for k, v in headers.items()} | await self.anisette()
        answer = await self.http.request(method, f"{self.apple}{path}", json=body, headers=headers)
        await answer.read()
        return answer

    async def delegates(self, user: str) -> dict[str, Any]:
        pet = self.spd["t"]["com.apple.gs.idms.pet"]["token"]
        body = {
            "apple-id": user,
            "password": pet,
            "client-id": str(uuid.uuid4()),
            "delegates": {"com.apple.mobileme": {}},
        }
        headers = {"X-Apple-ADSID": self.spd["adsid"], **await self.anisette()}
        auth = "Basic " + base64.b64encode(f"{user}:{pet}".encode()).decode()
        headers["Authorization"] = auth
        url = f"{self.apple}/setup/iosbuddy/loginDelegates"
        async with self.http.post(url, data=plistlib.dumps(body), headers=headers) as answer:
            assert answer.status == 200, answer.status
            got = plistlib.loads(await answer.read())
        mobileme = got.get("delegates", {}).get("com.apple.mobileme", {})
        if got["status"] == 0 and mobileme.get("status") == 0:
            self.dsid, self.token = got["dsid"], mobileme["service-data"]["tokens"]["searchPartyToken"]
        return got

    async def sign_in(self, user: str, password: str) -> None:
        """The whole way for an account without a second factor."""
        status = await self.login(user, password)
        assert status["ec"] == 0 and "au" not in status, status
        got = await self.delegates(user)
        assert self.token, got

    # --- reports ----------------------------------------------------------------------------------------

    async def fetch(self, api: str, ids: list[str], secondary: list[str] | None = None) -> aiohttp.ClientResponse:
        """One request; the answer's body has been read."""
        auth = base64.b64encode(f"{self.dsid}:{self.token}".encode()).decode()
        headers = {"Authorization": f"Basic {auth}", **await self.anisette()}
        if api == "v1":
            path, body = "/acsnservice/fetch", {"search": [{"startDate": 1, "ids": ids}]}
        else:
            path = "/findmyservice/v2/fetch"
            one = {"ownedDeviceIds": [], "keyType": 1, "primaryIds": ids, "secondaryIds": secondary or []}
            body = {"clientContext": {"policy": "foregroundClient"}, "fetch": [one]}
        answer = await self.http.post(f"{self.apple}{path}", json=body, headers=headers)
        await answer.read()
        return answer

    async def payloads(self, api: str, ids: list[str], secondary: list[str] | None = None) -> list[tuple[str, bytes]]:
        """(id, payload) of every report of a good answer."""
        answer = await self.fetch(api, ids, secondary)
        assert answer.status == 200, answer.headers
        body = json.loads(await answer.text())
        if api == "v1":
            assert body["statusCode"] == "200"
            return [(r["id"], base64.b64decode(r["payload"])) for r in body["results"]]
        part = body["acsnLocations"]
        assert part["statusCode"] == "200"
        return [(row["id"], base64.b64decode(text)) for row in part["locationPayload"] for text in row["locationInfo"]]
