"""P-224 keys and Find My report payloads, written from the protocol facts and sharing no code with `src/findmy`.

Units and shapes used everywhere in the simulator:

- private key: 28 bytes, big-endian scalar d, 1 <= d <= n-1
- advertisement key: 28 bytes, the X coordinate of d*G, zero-padded on the left
- hashed advertisement key: SHA-256 of those 28 bytes, 32 bytes; its base64 text is the report id
- position: signed 32-bit integers, degrees times 10^7
- report time: whole seconds since 1970 (the wire counts from 2001)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP224R1()
FIELD_PRIME = 2**224 - 2**96 + 1
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D

KEY_LEN = 28
HASH_LEN = 32
POINT_LEN = 57
GCM_TAG_LEN = 16
PLAIN_LEN = 10
SHORT_FORM = 88  # the form used until macOS 13 / iOS 16
LONG_FORM = 89  # since macOS 14 / iOS 17: one zero byte after the timestamp
APPLE_EPOCH = 978307200  # 2001-01-01T00:00:00Z in Unix seconds

_PLAIN = struct.Struct(">iiBB")


class BadKeyError(ValueError):
    """A key that is no P-224 key; the message says why."""


class ReportError(ValueError):
    """A payload that cannot be opened. `code` is one of length, point, key, auth."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# --- keys -------------------------------------------------------------------------------------


def decode_key(text: str, length: int = KEY_LEN) -> bytes:
    """Read a key written as base64 or as hex digits; exactly `length` bytes or BadKeyError."""
    text = text.strip()
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * length else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as err:
        raise BadKeyError("neither base64 nor hex") from err
    if len(raw) != length:
        raise BadKeyError(f"{len(raw)} bytes instead of {length}")
    return raw


def load_private(raw: bytes) -> ec.EllipticCurvePrivateKey:
    """The key object of a 28-byte scalar; BadKeyError when it is 0, too large or of another length."""
    if len(raw) != KEY_LEN:
        raise BadKeyError(f"{len(raw)} bytes instead of {KEY_LEN}")
    d = int.from_bytes(raw, "big")
    if not 1 <= d < GROUP_ORDER:
        raise BadKeyError("scalar outside 1..n-1")
    return ec.derive_private_key(d, CURVE)


def point_of(private: bytes) -> bytes:
    """The uncompressed point (57 bytes) of a private key."""
    return point_bytes(load_private(private).public_key())


def point_bytes(public: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as `04 | X | Y`, 57 bytes."""
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def advertisement_key(private: bytes) -> bytes:
    """Private key -> the 28 bytes which the tag broadcasts."""
    return point_of(private)[1 : 1 + KEY_LEN]


def hash_key(adv: bytes) -> bytes:
    """Advertisement key -> the 32 bytes under which reports are stored."""
    return hashlib.sha256(adv).digest()


def report_id(adv: bytes) -> str:
    """Advertisement key -> report id, 44 characters of standard base64."""
    return base64.b64encode(hash_key(adv)).decode()


def mac_address(adv: bytes) -> str:
    """The random static BLE address: the first six bytes with the top two bits set."""
    mac = bytes([adv[0] | 0xC0]) + adv[1:6]
    return ":".join(f"{b:02X}" for b in mac)


def load_advertised(adv: bytes) -> ec.EllipticCurvePublicKey:
    """A point with this X. Which of the two Y is taken does not matter: ECDH yields only X."""
    if len(adv) != KEY_LEN:
        raise BadKeyError(f"{len(adv)} bytes instead of {KEY_LEN}")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, b"\x02" + adv)
    except ValueError as err:
        raise BadKeyError("not the X coordinate of a point of the curve") from err


def scalar_from(seed: bytes, *labels: bytes) -> int:
    """A scalar 1..n-1 that depends on nothing but seed and labels.

    512 bits are reduced, so the bias is far below anything that could be seen.
    """
    material = b"".join(len(part).to_bytes(4, "big") + part for part in labels)
    wide = int.from_bytes(hmac.digest(seed, material, "sha512"), "big")
    return wide % (GROUP_ORDER - 1) + 1


def private_from(seed: bytes, *labels: bytes) -> bytes:
    """As scalar_from, as the 28 bytes of a private key."""
    return scalar_from(seed, *labels).to_bytes(KEY_LEN, "big")


# --- advertisement ----------------------------------------------------------------------------


def advertisement(adv: bytes, status: int = 0, hint: int = 0) -> bytes:
    """The 31-byte advertising payload of a tag apart from its owner."""
    head = bytes([0x1E, 0xFF, 0x4C, 0x00, 0x12, 0x19, status])
    return head + adv[6:] + bytes([adv[0] >> 6, hint])


def nearby_advertisement(adv: bytes, status: int = 0) -> bytes:
    """The short form which is sent while the owner's device is near."""
    return bytes([0x12, 0x02, status, adv[0] >> 6])


# --- key derivation ---------------------------------------------------------------------------


def x963(z: bytes, info: bytes, length: int) -> bytes:
    """ANSI X9.63 KDF with SHA-256: H(z | counter | info) for counter 1, 2, ... cut to length."""
    blocks = [hashlib.sha256(z + i.to_bytes(4, "big") + info).digest() for i in range(1, -(-length // HASH_LEN) + 1)]
    return b"".join(blocks)[:length]


# --- reports ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plain:
    """What a report says. time: Unix seconds; lat_e7, lon_e7: degrees * 1e7; accuracy: metres, one byte."""

    time: int
    confidence: int
    lat_e7: int
    lon_e7: int
    accuracy: int
    status: int


def _seal(shared: bytes, ephemeral: bytes, plain: Plain, form: int) -> bytes:
    secret = x963(shared, ephemeral, HASH_LEN)
    body = _PLAIN.pack(plain.lat_e7, plain.lon_e7, plain.accuracy, plain.status)
    sealed = AESGCM(secret[:16]).encrypt(secret[16:], body, None)
    head = (plain.time - APPLE_EPOCH).to_bytes(4, "big")
    if form == LONG_FORM:
        head += b"\0"
    elif form != SHORT_FORM:
        raise ValueError(f"no such report form: {form}")
    return head + bytes([plain.confidence]) + ephemeral + sealed


def encrypt(public: ec.EllipticCurvePublicKey, ephemeral_scalar: int, plain: Plain, form: int) -> bytes:
    """Do what a finder does: encrypt to the tag's key with a one-time key; 88 or 89 bytes.

    The one-time scalar is an argument so that a seeded run gives the same bytes again.
    """
    one_time = ec.derive_private_key(ephemeral_scalar, CURVE)
    shared = one_time.exchange(ec.ECDH(), public)
    return _seal(shared, point_bytes(one_time.public_key()), plain, form)


def decrypt(private: bytes, payload: bytes) -> Plain:
    """Open a payload of either form. Only tests and the vector maker need this; servers cannot."""
    if len(payload) not in (SHORT_FORM, LONG_FORM):
        raise ReportError("length")
    try:
        key = load_private(private)
    except BadKeyError as err:
        raise ReportError("key") from err
    body = payload[-(POINT_LEN + PLAIN_LEN + GCM_TAG_LEN) :]
    ephemeral, sealed = body[:POINT_LEN], body[POINT_LEN:]
    try:
        if ephemeral[0] != 4:
            raise ValueError("not an uncompressed point")
        public = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, ephemeral)
    except ValueError as err:
        raise ReportError("point") from err
    secret = x963(key.exchange(ec.ECDH(), public), ephemeral, HASH_LEN)
    try:
        plain = AESGCM(secret[:16]).decrypt(secret[16:], sealed, None)
    except InvalidTag as err:
        raise ReportError("auth") from err
    lat, lon, accuracy, status = _PLAIN.unpack(plain)
    confidence = payload[len(payload) - len(body) - 1]
    time = int.from_bytes(payload[:4], "big") + APPLE_EPOCH
    return Plain(time, confidence, lat, lon, accuracy, status)


# --- bulk -------------------------------------------------------------------------------------

# One job of the process pool: (uncompressed point of the tag, one-time scalar, plain fields, form).
Job = tuple[bytes, int, tuple[int, int, int, int, int, int], int]


@lru_cache(maxsize=16384)
def _public(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)


def encrypt_job(job: Job) -> bytes:
    """Encrypt one job; points are parsed once and kept, since a tag has many reports."""
    point, scalar, fields, form = job
    return encrypt(_public(point), scalar, Plain(*fields), form)


def encrypt_jobs(jobs: list[Job]) -> list[bytes]:
    """Encrypt a list of jobs in order; a plain function of plain values, so a process pool can run it."""
    return [encrypt_job(job) for job in jobs]
