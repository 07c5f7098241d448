"""Keys of tags over time: fixed ones, lists that take turns, and the rolling keys of paired accessories.

A key source answers two questions: which key did the tag show at a moment, and which keys may it
have shown in a window. Times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from findmy_sim import crypto

SLOT_SECONDS = 15 * 60  # a primary key lives this long
SLOTS_PER_DAY = 96
# The accessory's own clock may be ahead by a few slots of what we compute; FindMy.py's rule asks for
# two secondary keys per primary index.
SLOTS_AHEAD = 4


class KeySource(Protocol):
    """Where a tag's advertisement keys come from."""

    def key_at(self, time: int) -> bytes:
        """The advertisement key shown at this time."""

    def keys_between(self, start: int, end: int) -> set[bytes]:
        """All advertisement keys that may have been shown in [start, end]."""


@dataclass(slots=True)
class StaticKeys:
    """One key for ever, or several that take turns every `rotate_seconds` (macless-haystack, FindMy.py lists)."""

    keys: list[bytes]
    rotate_seconds: int = 30 * 60

    def key_at(self, time: int) -> bytes:
        return self.keys[time // self.rotate_seconds % len(self.keys)]

    def keys_between(self, start: int, end: int) -> set[bytes]:
        return set(self.keys)


@dataclass(slots=True)
class DerivedKey:
    """One derived key with the middle values of its derivation."""

    index: int
    secret: bytes
    u: int
    v: int
    private: bytes
    adv: bytes


class KeyChain:
    """The chain of one seed (SKN or SKS): SK[i+1] = X963(SK[i], "update"), index 0 is the seed as stored."""

    # Every so many indices the chain's secret is kept, so that going back costs at most so many steps.
    CHECKPOINT = 672

    def __init__(self, master: bytes, seed: bytes) -> None:
        self._master = int.from_bytes(master, "big")
        self._checkpoints: dict[int, bytes] = {0: seed}
        self._at = (0, seed)
        self._adv: dict[int, bytes] = {}

    def secret(self, index: int) -> bytes:
        """SK[index]."""
        if index < 0:
            raise ValueError("no key has a negative index")
        at, value = self._at
        if at > index:
            at = max(i for i in self._checkpoints if i <= index)
            value = self._checkpoints[at]
        while at < index:
            value = crypto.x963(value, b"update", 32)
            at += 1
            if at % self.CHECKPOINT == 0:
                self._checkpoints[at] = value
        self._at = (at, value)
        return value

    def derive(self, index: int) -> DerivedKey:
        """d[i] = (u*d0 + v) mod n with u, v from 36 bytes each, reduced mod n-1, plus 1."""
        secret = self.secret(index)
        wide = crypto.x963(secret, b"diversify", 72)
        u = int.from_bytes(wide[:36], "big") % (crypto.GROUP_ORDER - 1) + 1
        v = int.from_bytes(wide[36:], "big") % (crypto.GROUP_ORDER - 1) + 1
        private = ((u * self._master + v) % crypto.GROUP_ORDER).to_bytes(crypto.KEY_LEN, "big")
        return DerivedKey(index, secret, u, v, private, crypto.advertisement_key(private))

    def adv(self, index: int) -> bytes:
        """The advertisement key of an index; kept, since every poll asks for a week of them."""
        if index not in self._adv:
            self._adv[index] = self.derive(index).adv
        return self._adv[index]


def secondary_candidates(primary_index: int) -> list[int]:
    """Which secondary indices go with a primary index (FindMy.py's rule); none for a negative one."""
    if primary_index < 0:
        return []
    return [primary_index // SLOTS_PER_DAY + 1, primary_index // SLOTS_PER_DAY + 2]


class RollingKeys:
    """A paired accessory: primary keys every 15 minutes, and the day's secondary key while apart for long.

    The simulated accessory shows a primary key in one slot out of `PRIMARY_EVERY` (as if its owner had
    just left) and the secondary key of the day otherwise, so that a client must ask for both kinds.
    """

    PRIMARY_EVERY = 4

    def __init__(self, master: bytes, skn: bytes, sks: bytes, paired_at: int) -> None:
        self.paired_at = paired_at
        self.primary = KeyChain(master, skn)
        self.secondary = KeyChain(master, sks)

    def slot(self, time: int) -> int:
        """The primary index at a time; 0 before the pairing."""
        return max(0, (time - self.paired_at) // SLOT_SECONDS)

    def key_at(self, time: int) -> bytes:
        slot = self.slot(time)
        if slot % self.PRIMARY_EVERY == 0:
            return self.primary.adv(slot)
        return self.secondary.adv(secondary_candidates(slot)[0])

    def keys_between(self, start: int, end: int) -> set[bytes]:
        first, last = self.slot(start), self.slot(end) + SLOTS_AHEAD
        primaries = {self.primary.adv(i) for i in range(first, last + 1)}
        days = {i for slot in (first, last) for i in secondary_candidates(slot)}
        return primaries | {self.secondary.adv(i) for i in range(min(days), max(days) + 1)}


@dataclass(slots=True)
class Alignment:
    """The last sure observation of an accessory's index (FindMy.py's rule): date in Unix seconds."""

    date: int
    index: int

    def bounds(self, time: int) -> tuple[int, int]:
        """(lowest, highest) index the accessory may be at; the lowest may be negative, which means no key."""
        if time >= self.date:
            return self.index, self.index + (time - self.date) // SLOT_SECONDS
        return self.index - (self.date - time) // SLOT_SECONDS, self.index

    def observe(self, time: int, index: int) -> None:
        """Take an observation, unless its date or its index goes backwards."""
        if time >= self.date and index >= self.index:
            self.date, self.index = time, index
