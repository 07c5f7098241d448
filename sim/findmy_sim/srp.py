"""SRP-6a as Apple's GrandSlam runs it: group of RFC 5054 with 2048 bits, SHA-256, no user name in x.

Facts: S = shared secret, K = H(S); A, B and S go into M1, M2 and K as minimal big-endian bytes (what the
working clients do), and padded to 256 bytes into u. The user name is in M1 only.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

N = int(
    "AC6BDB41324A9A9BF166DE5E1389582FAF72B6651987EE07FC3192943DB56050A37329CBB4A099ED8193E0757767A13D"
    "D52312AB4B03310DCD7F48A9DA04FD50E8083969EDB767B0CF6095179A163AB3661A05FBD5FAAAE82918A9962F0B93B8"
    "55F97993EC975EEAA80D740ADBF4FF747359D041D5C33EA71D281E446B14773BCA97B43A23FB801676BD207A436C6481"
    "F1D2B9078717461A5B9D32E688F87748544523B524B0D57D5EA77A2775D2ECFA032CFBDBF52FB3786160279004E57AE6"
    "AF874E7303CE53299CCC041C7BC308D82A5698F3A8D0C38271AE35F8E9DBFBB694B5C803D89F7AE435DE236D525F5475"
    "9B65E372FCD68EF20FA7111F9E4AFF73",
    16,
)
G = 2
WIDTH = 256
PROTOCOLS = ("s2k", "s2k_fo")


def h(*parts: bytes) -> bytes:
    """SHA-256 of the parts joined."""
    return hashlib.sha256(b"".join(parts)).digest()


def pad(value: int) -> bytes:
    """A group element as 256 bytes."""
    return value.to_bytes(WIDTH, "big")


def minimal(value: int) -> bytes:
    """A group element without leading zero bytes."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


K_MULTIPLIER = int.from_bytes(h(pad(N), pad(G)), "big")
GROUP_HASH = bytes(a ^ b for a, b in zip(h(pad(N)), h(pad(G)), strict=True))


def prehash(password: str, protocol: str) -> bytes:
    """What goes into PBKDF2: the hash's 32 bytes (s2k) or its 64 hex digits (s2k_fo)."""
    digest = hashlib.sha256(password.encode()).digest()
    if protocol == "s2k":
        return digest
    if protocol == "s2k_fo":
        return digest.hex().encode()
    raise ValueError(f"unknown protocol {protocol}")


def password_key(password: str, protocol: str, salt: bytes, iterations: int) -> bytes:
    """The 32 bytes that take the password's place in SRP."""
    return hashlib.pbkdf2_hmac("sha256", prehash(password, protocol), salt, iterations, 32)


def private_x(salt: bytes, key: bytes) -> int:
    """x = H(salt | H(":" | key)): the user name does not enter."""
    return int.from_bytes(h(salt, h(b":", key)), "big")


def scramble_u(a_public: int, b_public: int) -> int:
    """u = H(PAD(A) | PAD(B))."""
    return int.from_bytes(h(pad(a_public), pad(b_public)), "big")


def proof_m1(user: str, salt: bytes, a_public: int, b_public: int, session: bytes) -> bytes:
    """The client's proof."""
    return h(GROUP_HASH, h(user.encode()), salt, minimal(a_public), minimal(b_public), session)


def proof_m2(a_public: int, m1: bytes, session: bytes) -> bytes:
    """The server's proof."""
    return h(minimal(a_public), m1, session)


@dataclass(slots=True)
class Verifier:
    """What the server keeps of a password: v = g^x mod N."""

    salt: bytes
    iterations: int
    protocol: str
    v: int

    @classmethod
    def make(cls, password: str, salt: bytes, iterations: int, protocol: str) -> Verifier:
        key = password_key(password, protocol, salt, iterations)
        return cls(salt, iterations, protocol, pow(G, private_x(salt, key), N))


class ServerSession:
    """One exchange, server's side; `b` is given so that seeded runs repeat."""

    def __init__(self, user: str, verifier: Verifier, a_public: bytes, b: int) -> None:
        self.user, self.verifier, self.b = user, verifier, b
        self.a_public = int.from_bytes(a_public, "big")
        if self.a_public % N == 0:
            raise ValueError("A is 0 modulo N")
        self.b_public = (K_MULTIPLIER * verifier.v + pow(G, b, N)) % N
        u = scramble_u(self.a_public, self.b_public)
        secret = pow(self.a_public * pow(verifier.v, u, N), b, N)
        self.secret = secret
        self.session = h(minimal(secret))
        self.m1 = proof_m1(user, verifier.salt, self.a_public, self.b_public, self.session)

    def check(self, m1: bytes) -> bytes | None:
        """The server's proof M2 if the client's is right."""
        if not hmac.compare_digest(m1, self.m1):
            return None
        return proof_m2(self.a_public, m1, self.session)


@dataclass(frozen=True, slots=True)
class ClientResult:
    """The client's half, for tests and for the vector maker."""

    a_public: int
    x: int
    u: int
    secret: int
    session: bytes
    m1: bytes
    m2: bytes


def client(user: str, password: str, a: int, b_public: int, verifier: Verifier) -> ClientResult:
    """The client's computation with given randomness: S = (B - k*g^x)^(a + u*x) mod N."""
    a_public = pow(G, a, N)
    x = private_x(verifier.salt, password_key(password, verifier.protocol, verifier.salt, verifier.iterations))
    u = scramble_u(a_public, b_public)
    secret = pow(b_public - K_MULTIPLIER * pow(G, x, N), a + u * x, N)
    session = h(minimal(secret))
    m1 = proof_m1(user, verifier.salt, a_public, b_public, session)
    return ClientResult(a_public, x, u, secret, session, m1, proof_m2(a_public, m1, session))


# --- what follows from the session key ----------------------------------------------------------


def extra_data_key(session: bytes) -> bytes:
    """AES-256 key of spd."""
    return hmac.digest(session, b"extra data key:", "sha256")


def extra_data_iv(session: bytes) -> bytes:
    """CBC IV of spd, 16 bytes."""
    return hmac.digest(session, b"extra data iv:", "sha256")[:16]


def negotiation_key(session: bytes) -> bytes:
    """Key of the negotiation proof np."""
    return hmac.digest(session, b"HMAC key:", "sha256")


def negotiation_digest(protocol: str, spd: bytes, sc: bytes | None = None) -> bytes:
    """D: a digest over what was offered, chosen and sent, so that a downgrade shows.

    Bars are literal; lengths are 32-bit little-endian.
    """
    parts = [b"s2k,s2k_fo", b"|", b"|", protocol.encode(), b"|", len(spd).to_bytes(4, "little"), spd, b"|"]
    if sc is not None:
        parts += [len(sc).to_bytes(4, "little"), sc]
    return h(*parts, b"|")


def negotiation_proof(session: bytes, protocol: str, spd: bytes, sc: bytes | None = None) -> bytes:
    """np = HMAC(hk, D)."""
    return hmac.digest(negotiation_key(session), negotiation_digest(protocol, spd, sc), "sha256")
