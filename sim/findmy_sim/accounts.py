"""Apple accounts: passwords as SRP verifiers, second factors, trust of devices, tokens.

Tokens are HMACs under the simulator's seed, so they survive a restart of the simulator and a seeded run
hands out the same ones. Wall time counts here, since tokens and codes meet the client's own clock.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from findmy_sim import srp

SECOND_FACTORS = ("none", "trusted_device", "sms")
MOBILEME_STATES = ("ok", "account_limit", "server_problem")
PET_LIFETIME = 300.0  # seconds
CODE_LIFETIME = 600.0
MAX_WRONG_PASSWORDS = 10  # then the account locks
MAX_CODES_SENT = 5  # SMS without a right answer
MAX_WRONG_CODES = 5
ITERATIONS = 20_000  # what GrandSlam asks for today, about
FIRST_DSID = 10_000_000_000


@dataclass(slots=True)
class Phone:
    """A number that can get codes; the id is what the protocol names it by, and need not be 1."""

    id: int
    number: str
    can_send: bool = True

    @property
    def last_two(self) -> str:
        return self.number[-2:]


@dataclass(slots=True)
class Code:
    """A pending six-digit code. channel: trusted_device, or sms:<phone id>."""

    channel: str
    digits: str
    expires: float


@dataclass(slots=True)
class Account:
    """One account; see control API for the fields that can be set."""

    username: str
    password: str
    dsid: int
    adsid: str
    protocol: str = "s2k"
    iterations: int = ITERATIONS
    second_factor: str = "none"
    phones: list[Phone] = field(default_factory=list)
    step: str = ""  # an `au` no client can handle, e.g. terms to accept
    locked: bool = False
    mobileme: str = "ok"
    list_sends_sms: bool = False  # GET /auth itself sends an SMS (status 201)
    fixed_code: str = ""
    token_lifetime: float | None = None  # wall seconds; None = until somebody voids it
    token_generation: int = 0
    token_issued: float | None = None
    force_second_factor: int = 0  # logins left that ask although the device is trusted
    trusted: set[str] = field(default_factory=set)
    codes: list[Code] = field(default_factory=list)
    wrong_passwords: int = 0
    wrong_codes: int = 0
    codes_sent: int = 0
    logins: int = 0
    verifiers: dict[str, srp.Verifier] = field(default_factory=dict, repr=False)

    def phone(self, phone_id: object) -> Phone | None:
        return next((p for p in self.phones if p.id == phone_id), None)

    def as_json(self) -> dict[str, object]:
        """What the control API shows: no password, no token."""
        return {
            "username": self.username,
            "dsid": str(self.dsid),
            "protocol": self.protocol,
            "iterations": self.iterations,
            "second_factor": self.second_factor,
            "phones": [{"id": p.id, "number": p.number, "can_send": p.can_send} for p in self.phones],
            "step": self.step,
            "locked": self.locked,
            "mobileme": self.mobileme,
            "list_sends_sms": self.list_sends_sms,
            "token_lifetime": self.token_lifetime,
            "token_generation": self.token_generation,
            "force_second_factor": self.force_second_factor,
            "trusted_devices": len(self.trusted),
            "pending_codes": len(self.codes),
            "logins": self.logins,
        }


class Accounts:
    """All accounts by name (case does not matter) and by dsid."""

    def __init__(self, seed: str, wall: Callable[[], float]) -> None:
        self._seed = seed
        self._secret = hashlib.sha256(f"accounts/{seed}".encode()).digest()
        self._rng = random.Random(f"{seed}/accounts")
        self.wall = wall
        self._by_name: dict[str, Account] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_name.values())

    def _mac(self, *parts: str) -> str:
        return hmac.digest(self._secret, "|".join(parts).encode(), "sha256").hex()

    # --- set-up -------------------------------------------------------------------------------------

    def add(self, data: dict[str, object]) -> Account:
        """A new account from a request or scenario; ValueError says what is wrong."""
        username, password = data.get("username"), data.get("password")
        if not isinstance(username, str) or not username or not isinstance(password, str) or not password:
            raise ValueError("an account needs username and password")
        if username.lower() in self._by_name:
            raise ValueError(f"there is an account {username!r} already")
        ident = self._mac("ids", username.lower())
        dsid = FIRST_DSID + int(ident[:8], 16)
        adsid = f"{int(ident[8:13], 16) % 1_000_000:06d}-08-{ident[16:52]}"
        account = Account(username, password, dsid, adsid)
        self.change(account, {k: v for k, v in data.items() if k not in ("username", "password")})
        self._by_name[username.lower()] = account
        return account

    def change(self, account: Account, data: dict[str, object]) -> None:
        """Set fields; ValueError (and nothing changed) if one is wrong."""
        for name, value in data.items():
            _check_field(name, value)
        for name, value in data.items():
            if name == "phones":
                account.phones = [_phone(p) for p in value]  # type: ignore[attr-defined]
            else:
                setattr(account, name, value)
        if data.keys() & {"password", "iterations"}:
            account.verifiers.clear()
        if account.second_factor == "sms" and not account.phones:
            account.phones = [Phone(1, "+1 (555) 010-0042")]

    def remove(self, name: str) -> bool:
        return self._by_name.pop(name.lower(), None) is not None

    def find(self, name: str) -> Account | None:
        return self._by_name.get(name.lower())

    def by_dsid(self, dsid: str) -> Account | None:
        return next((a for a in self if str(a.dsid) == dsid), None)

    def verifier(self, account: Account) -> srp.Verifier:
        """The account's SRP verifier for its protocol, made once."""
        if account.protocol not in account.verifiers:
            salt = hmac.digest(self._secret, f"salt|{account.username}|{account.protocol}".encode(), "sha256")[:16]
            account.verifiers[account.protocol] = srp.Verifier.make(
                account.password, salt, account.iterations, account.protocol
            )
        return account.verifiers[account.protocol]

    # --- tokens ---------------------------------------------------------------------------------------

    def idms_token(self, account: Account) -> str:
        """The token of a half-finished login; with adsid it is the identity token."""
        return self._mac("idms", account.username.lower(), account.password)

    def by_identity(self, adsid: str, token: str) -> Account | None:
        account = next((a for a in self if a.adsid == adsid), None)
        if account is None or not hmac.compare_digest(token, self.idms_token(account)):
            return None
        return account

    def pet(self, account: Account) -> tuple[str, int]:
        """A password-equivalent token and its expiry in ms since 1970."""
        expiry = int((self.wall() + PET_LIFETIME) * 1000)
        return f"PET-{expiry:x}-{self._mac('pet', account.username.lower(), str(expiry))}", expiry

    def check_pet(self, account: Account, pet: str) -> bool:
        """Whether a PET is this account's and not expired."""
        try:
            _, expiry, proof = pet.split("-")
            expiry_ms = int(expiry, 16)
        except ValueError:
            return False
        right = hmac.compare_digest(proof, self._mac("pet", account.username.lower(), str(expiry_ms)))
        return right and self.wall() * 1000 <= expiry_ms

    def search_party_token(self, account: Account) -> str:
        """The token for fetching reports; the same until it is voided."""
        return "SPT~" + self._mac("spt", account.username.lower(), account.password, str(account.token_generation))

    def issue_token(self, account: Account) -> str:
        account.token_issued = self.wall()
        return self.search_party_token(account)

    def check_token(self, account: Account, token: str) -> bool:
        """Whether a search-party token is valid now; voids it when its life is over."""
        life, issued = account.token_lifetime, account.token_issued
        if life is not None and issued is not None and self.wall() - issued > life:
            self.void_token(account)
        return hmac.compare_digest(token.encode(), self.search_party_token(account).encode())

    def void_token(self, account: Account) -> None:
        """Make the token invalid; a new login gives a new one."""
        account.token_generation += 1
        account.token_issued = None

    # --- second factor ----------------------------------------------------------------------------------

    def due_factor(self, account: Account, device: str) -> str:
        """Which second factor a login from this device must pass: none, trusted_device or sms."""
        if account.second_factor == "none" and account.force_second_factor == 0:
            return "none"
        if device in account.trusted and account.force_second_factor == 0:
            return "none"
        if account.second_factor == "none":
            return "sms" if account.phones else "trusted_device"
        return account.second_factor

    def send_code(self, account: Account, channel: str) -> Code:
        """Make a code for a channel; an older one of the channel is void."""
        digits = account.fixed_code or f"{self._rng.randrange(1_000_000):06d}"
        code = Code(channel, digits, self.wall() + CODE_LIFETIME)
        account.codes = [c for c in account.codes if c.channel != channel] + [code]
        return code

    def pending(self, account: Account) -> list[Code]:
        """Codes that still count, oldest first."""
        account.codes = [c for c in account.codes if c.expires > self.wall()]
        return account.codes

    def enter_code(self, account: Account, channel: str, digits: str, device: str) -> bool:
        """Try a code; a right one makes the device trusted."""
        for code in self.pending(account):
            if code.channel == channel and hmac.compare_digest(code.digits.encode(), digits.encode()):
                account.codes.remove(code)
                account.trusted.add(device)
                account.wrong_codes = account.codes_sent = 0
                account.force_second_factor = max(0, account.force_second_factor - 1)
                return True
        account.wrong_codes += 1
        return False


_FIELDS: dict[str, tuple[type, ...]] = {
    "password": (str,),
    "protocol": (str,),
    "iterations": (int,),
    "second_factor": (str,),
    "phones": (list,),
    "step": (str,),
    "locked": (bool,),
    "mobileme": (str,),
    "list_sends_sms": (bool,),
    "fixed_code": (str,),
    "token_lifetime": (int, float, type(None)),
    "force_second_factor": (int,),
}
_CHOICES = {"protocol": srp.PROTOCOLS, "second_factor": SECOND_FACTORS, "mobileme": MOBILEME_STATES}


def _check_field(name: str, value: object) -> None:
    kinds = _FIELDS.get(name)
    if kinds is None:
        raise ValueError(f"unknown field {name!r}")
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError(f"{name} has the wrong type")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{name} must be one of {', '.join(_CHOICES[name])}")
    if name == "iterations" and isinstance(value, int) and not 1 <= value <= 1_000_000:
        raise ValueError("iterations must be from 1 to 1,000,000")
    if name == "fixed_code" and value and not (isinstance(value, str) and len(value) == 6 and value.isdigit()):
        raise ValueError("fixed_code must be six digits")
    if name == "phones" and isinstance(value, list):
        for phone in value:
            _phone(phone)


def _phone(data: object) -> Phone:
    if not isinstance(data, dict) or not isinstance(data.get("id"), int) or not isinstance(data.get("number"), str):
        raise ValueError("a phone needs id (a whole number) and number (text)")
    return Phone(data["id"], data["number"], bool(data.get("can_send", True)))
