"""Keys and reports by an implementation that shares nothing with src/findmy (Python's cryptography)."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Key:
    """A static key from its private number."""

    number: int

    @property
    def private(self) -> bytes:
        return self.number.to_bytes(28, "big")

    @property
    def adv(self) -> bytes:
        public = ec.derive_private_key(self.number, ec.SECP224R1()).public_key()
        return public.public_numbers().x.to_bytes(28, "big")

    def fields(self) -> dict[str, str]:
        mac = bytes([self.adv[0] | 0xC0]) + self.adv[1:6]
        return {
            "private_key": b64(self.private),
            "advertisement_key": b64(self.adv),
            "hashed_advertisement_key": b64(hashlib.sha256(self.adv).digest()),
            "mac_address": mac.hex(":").upper(),
        }


def x963(z: bytes, info: bytes, length: int) -> bytes:
    return X963KDF(algorithm=SHA256(), length=length, sharedinfo=info).derive(z)


def rolling_key(master: bytes, seed: bytes, index: int) -> Key:
    for _ in range(index):
        seed = x963(seed, b"update", 32)
    wide = x963(seed, b"diversify", 72)
    u, v = (int.from_bytes(part, "big") % (ORDER - 1) + 1 for part in (wide[:36], wide[36:]))
    return Key((u * int.from_bytes(master, "big") + v) % ORDER)


def encrypt(
    key: Key,
    seconds: int,
    lat_e7: int,
    lon_e7: int,
    accuracy: int = 10,
    status: int = 0,
    confidence: int = 2,
    long_form: bool = True,
) -> bytes:
    """A payload as a finder uploads it. seconds count from 2001."""
    tag = ec.derive_private_key(key.number, ec.SECP224R1()).public_key()
    ephemeral = ec.generate_private_key(ec.SECP224R1())
    numbers = ephemeral.public_key().public_numbers()
    point = b"\x04" + numbers.x.to_bytes(28, "big") + numbers.y.to_bytes(28, "big")
    derived = x963(ephemeral.exchange(ec.ECDH(), tag), point, 32)
    seal = Cipher(algorithms.AES(derived[:16]), modes.GCM(derived[16:])).encryptor()
    text = seal.update(struct.pack(">iiBB", lat_e7, lon_e7, accuracy, status)) + seal.finalize()
    return struct.pack(">I", seconds) + b"\0" * long_form + bytes([confidence]) + point + text + seal.tag
