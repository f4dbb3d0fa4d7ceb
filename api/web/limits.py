"""Rate limits: what ``x-rate-limits`` says, charged to a person, an API key or an address.

Whatever road a request takes, it is charged here exactly once: by the policy wrapper when it reaches
Flask, by the ASGI part when it is refused before that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, RateLimitItemPerSecond

from api.errors import RateLimited
from api.infra.limiter import Count, Counter, Hit
from api.infra.metrics import RATE_LIMIT_REFUSALS
from api.web.context import Bucket, RequestContext
from api.web.contract import Json

UNMATCHED = ("anonymous",)
"""What a request for no operation (404, 405) is charged to, whoever sends it."""


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    item: RateLimitItem
    by: str
    """``user``, ``api_key`` or ``address``."""
    when: str
    """``anonymous``, ``token``, ``api_key``, ``authenticated`` (either of the two) or ``always``."""

    def applies_to(self, context: RequestContext) -> bool:
        if self.when == "token":
            return context.claims is not None
        if self.when == "api_key":
            return context.key is not None
        return self.when == "always" or (self.when == "authenticated") == bool(context.user_id)

    def key_of(self, context: RequestContext) -> str:
        if self.by == "address":
            return address_key(context.ip)
        return str(context.key.key_id if self.by == "api_key" and context.key else context.user_id)


Keyed = tuple[Limit, str]


class Limits:
    def __init__(self, table: dict[str, Json], counter: Counter, scale: float) -> None:
        self._counter = counter
        self._limits = {name: _limit(name, entry, scale) for name, entry in table.items()}

    def charge(self, context: RequestContext) -> None:
        """Count this request in each of its buckets; a second call does nothing.

        Raises ``RateLimited`` when a bucket is empty. ``context.buckets`` tells how they stand.
        """
        if context.buckets:
            return
        keyed = list(self._keys(context))
        if keyed:
            self._take(context, keyed, self._counter.hit(_hits(keyed)))

    def note(self, context: RequestContext) -> bool:
        """The same for an answer that costs nothing, without asking anybody. Raises ``RateLimited``.

        False, and nothing is counted, where it is not known how a bucket stands.
        """
        keyed = list(self._keys(context))
        counts = self._counter.note(_hits(keyed))
        if counts is None:
            return False
        self._take(context, keyed, counts)
        return True

    def settle(self) -> None:
        """Let everybody know what was only noted."""
        self._counter.settle()

    def standing(self, context: RequestContext) -> list[Bucket]:
        """How all buckets of this caller stand, whatever is charged to them; none is charged for the question."""
        # What is refused before an API key is looked up is charged to the address.
        applying = [
            limit
            for limit in self._limits.values()
            if limit.applies_to(context) or (context.key and limit.when == "anonymous")
        ]
        keyed = ((limit, limit.key_of(context)) for limit in applying)
        return [_bucket(limit, self._counter.look(limit.item, key)) for limit, key in keyed]

    def _keys(self, context: RequestContext) -> Iterator[Keyed]:
        names = context.operation.policy.rate_limit if context.operation else UNMATCHED
        for limit in map(self._limits.__getitem__, names):
            if limit.applies_to(context):
                yield limit, limit.key_of(context)

    @staticmethod
    def _take(context: RequestContext, keyed: list[Keyed], counts: list[Count]) -> None:
        for (limit, _), count in zip(keyed, counts, strict=True):
            context.buckets.append(_bucket(limit, count))
        empty = [
            limit.name for (limit, _), count in zip(keyed, counts, strict=True) if not count.within
        ]
        if empty:
            for name in empty:
                RATE_LIMIT_REFUSALS.labels(name).inc()
            raise RateLimited(max(b.resets_in for b in context.buckets if b.name in empty))


def _hits(keyed: list[Keyed]) -> list[Hit]:
    return [(limit.item, key) for limit, key in keyed]


def _bucket(limit: Limit, count: Count) -> Bucket:
    resets_in = max(1, math.ceil(count.resets_at - time.time()))
    return Bucket(
        limit.name, limit.item.amount, limit.item.get_expiry(), count.remaining, resets_in
    )


def _limit(name: str, entry: Json, scale: float) -> Limit:
    amount = max(1, round(entry["limit"] * scale))
    item = RateLimitItemPerSecond(amount, entry["window"], namespace=f"limit:{name}")
    return Limit(name, item, entry["by"], entry["when"])


def address_key(ip: str) -> str:
    """One key for all that a visitor can choose from: an IPv4 address, or an IPv6 /64."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return address.exploded[:19]
    return str(address)
