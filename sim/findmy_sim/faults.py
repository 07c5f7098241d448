"""Faults on demand: what can go wrong, where, how often.

A fault names its kind and a scope (end point, account, tag), and strikes with a probability and at most
`count` times, after letting `skip` chances pass. The random stream hangs on the seed and the fault's id.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

HTTP, ANISETTE, GSA, DELEGATE, ANSWER, REPORT = "http", "anisette", "gsa", "delegate", "answer", "report"

# kind -> (layer, what happens). This table is also the documentation that GET /control/faults/kinds gives.
KINDS: dict[str, tuple[str, str]] = {
    "status": (HTTP, "answer with params.status (and params.retry_after, params.body)"),
    "401": (HTTP, "HTTP 401 with an empty body"),
    "403": (HTTP, "HTTP 403 with an empty body"),
    "429": (HTTP, "HTTP 429; params.retry_after (seconds, or an HTTP date as text) sets Retry-After"),
    "500": (HTTP, "HTTP 500, plain text"),
    "502": (HTTP, "HTTP 502, HTML"),
    "503": (HTTP, "HTTP 503, a short HTML page"),
    "541": (HTTP, "HTTP 541, seen when a login had run out"),
    "empty_body": (HTTP, "HTTP 200 with nothing in it"),
    "blank_body": (HTTP, "HTTP 200 with a blank and a line end"),
    "not_json": (HTTP, "HTTP 200 with an HTML page"),
    "hang": (HTTP, "no answer for params.seconds (3600), then the connection is closed"),
    "slow": (HTTP, "the right answer after params.seconds (5)"),
    "reset": (HTTP, "the connection is closed without an answer"),
    "cut_body": (HTTP, "the full Content-Length, half of the body, then the connection is closed"),
    "truncated": (HTTP, "half of the body as if it were all"),
    "not_provisioned": (ANISETTE, "v3 get_headers: GetHeadersError with -45061"),
    "headers_error": (ANISETTE, "v3 get_headers: GetHeadersError with -45054"),
    "missing_otp": (ANISETTE, "the answer lacks X-Apple-I-MD"),
    "stale_otp": (ANISETTE, "a one-time password that is an hour old"),
    "provision_timeout": (ANISETTE, "v3 provisioning: result Timeout"),
    "invalid_identifier": (ANISETTE, "v3 provisioning: result InvalidIdentifier"),
    "start_error": (ANISETTE, "v3 provisioning: result StartProvisioningError"),
    "end_error": (ANISETTE, "v3 provisioning: result EndProvisioningError"),
    "force_2fa": (GSA, "the login asks for a second factor although the device is trusted"),
    "unsupported_step": (GSA, "au names a step no client can do (params.step)"),
    "wrong_password": (GSA, "ec -22406"),
    "locked": (GSA, "ec -20209: account locked"),
    "bad_anisette": (GSA, "ec -22421: anisette data not accepted"),
    "unable": (GSA, "ec -36607: unable to sign in"),
    "reprovision": (GSA, "hsc 433: the anisette device must be provisioned anew"),
    "resync": (GSA, "hsc 434: the anisette device must be resynchronised"),
    "bad_m2": (GSA, "the server's proof M2 is wrong"),
    "bad_np": (GSA, "the negotiation proof np is wrong"),
    "unknown_sp": (GSA, "init chooses a protocol nobody knows"),
    "zero_b": (GSA, "B is 0 modulo N: a client must refuse"),
    "few_iterations": (GSA, "init asks for 10 PBKDF2 iterations: a client must refuse"),
    "wrong_code": (GSA, "a right second-factor code is refused with -21669"),
    "too_many_codes": (GSA, "SMS: -22979, too many codes sent"),
    "cannot_send": (GSA, "SMS: -28248, cannot send to this number"),
    "account_limit": (DELEGATE, "mobileme: status 1, account limit reached"),
    "server_problem": (DELEGATE, "mobileme: a server problem is blocking Apple ID sign in"),
    "pet_expired": (DELEGATE, "loginDelegates: status 1, your session has expired"),
    "token_expiry": (ANSWER, "the account's search-party token is void from now on: 401 until a new login"),
    "inner_status": (ANSWER, "HTTP 200 whose statusCode is params.status (503)"),
    "missing_locations": (ANSWER, "v2 without acsnLocations, v1 without results"),
    "no_location_info": (ANSWER, "ids without their reports"),
    "empty_list": (ANSWER, "a correct answer without reports"),
    "id_spelling": (ANSWER, "ids in URL-safe base64 without padding"),
    "foreign_id": (ANSWER, "reports of an id nobody asked for are mixed in"),
    "bad_tag": (REPORT, "one bit of the GCM tag is flipped"),
    "wrong_key": (REPORT, "encrypted to another key"),
    "off_curve": (REPORT, "the ephemeral point is not on the curve"),
    "bad_length": (REPORT, "one byte is missing"),
    "bad_base64": (REPORT, "the payload is no base64"),
    "future_timestamp": (REPORT, "the finder's clock is params.seconds (30 days) ahead"),
    "old_timestamp": (REPORT, "the finder's clock stands in 2001"),
    "out_of_range": (REPORT, "decrypts, but latitude and longitude are beyond the Earth"),
    "twice": (REPORT, "the report is handed out twice"),
}

MAX_FAULTS = 1000


@dataclass(slots=True)
class Fault:
    """One injected fault. endpoint: a name or a prefix of names, `*` = everywhere the kind makes sense."""

    id: int
    kind: str
    endpoint: str = "*"
    account: str = ""
    tag: str = ""
    probability: float = 1.0
    count: int | None = None
    skip: int = 0
    params: dict[str, object] = field(default_factory=dict)
    hits: int = 0
    rng: random.Random = field(default_factory=random.Random, repr=False)

    @property
    def layer(self) -> str:
        return KINDS[self.kind][0]

    @property
    def spent(self) -> bool:
        return self.count is not None and self.hits >= self.count

    def covers(self, endpoint: str, account: str, tag: str) -> bool:
        """Whether the scope includes this end point, account and tag (empty scope = all)."""
        prefix = self.endpoint
        at_endpoint = prefix in ("", "*") or endpoint == prefix or endpoint.startswith(prefix + ".")
        return at_endpoint and self.account in ("", account) and self.tag in ("", tag)

    def strikes(self) -> bool:
        """One chance: consumes skip, rolls the dice, counts the hit."""
        if self.spent:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.probability < 1 and self.rng.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def number(self, name: str, default: float) -> float:
        """A numeric parameter."""
        value = self.params.get(name, default)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "kind": self.kind,
            "endpoint": self.endpoint,
            "account": self.account,
            "tag": self.tag,
            "probability": self.probability,
            "count": self.count,
            "skip": self.skip,
            "params": self.params,
            "hits": self.hits,
        }


class Faults:
    """All faults in force, oldest first."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._next = 1
        self.active: list[Fault] = []

    def add(self, data: dict[str, object]) -> Fault:
        """A fault from a request or scenario; ValueError says what is wrong with it."""
        unknown = set(data) - {"kind", "endpoint", "account", "tag", "probability", "count", "skip", "params"}
        if unknown:
            raise ValueError(f"unknown field {sorted(unknown)[0]!r}")
        kind = str(data.get("kind"))
        if kind not in KINDS:
            raise ValueError(f"no fault is called {kind!r}; GET /control/faults/kinds lists them")
        probability, count, skip = data.get("probability", 1.0), data.get("count"), data.get("skip", 0)
        params = data.get("params") or {}
        if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
            raise ValueError("probability must be a number from 0 to 1")
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
            raise ValueError("count must be a whole number of at least 1")
        if isinstance(skip, bool) or not isinstance(skip, int) or skip < 0:
            raise ValueError("skip must be a whole number")
        if not isinstance(params, dict):
            raise ValueError("params must be an object")
        if len(self.active) >= MAX_FAULTS:
            raise ValueError(f"{MAX_FAULTS} faults are in force already")
        scope = {name: str(data.get(name) or "") for name in ("endpoint", "account", "tag")}
        fault = Fault(self._next, kind, scope["endpoint"] or "*", scope["account"], scope["tag"])
        fault.probability, fault.count, fault.skip, fault.params = float(probability), count, skip, params
        fault.rng = random.Random(f"{self._seed}/fault/{self._next}")
        self._next += 1
        self.active.append(fault)
        return fault

    def take(self, layer: str, endpoint: str, account: str = "", tag: str = "", *kinds: str) -> Fault | None:
        """The first fault of this layer (and kind, if any are named) that strikes here and now."""
        for fault in self.active:
            if fault.layer != layer or (kinds and fault.kind not in kinds):
                continue
            if fault.covers(endpoint, account, tag) and fault.strikes():
                return fault
        return None

    def remove(self, fault_id: int) -> bool:
        """Take one fault back."""
        before = len(self.active)
        self.active = [f for f in self.active if f.id != fault_id]
        return len(self.active) < before

    def clear(self) -> int:
        """Take all back; gives how many there were."""
        count, self.active = len(self.active), []
        return count
