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
from api.infra.limiter import Count, Counter
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
        waits = [self._hit(context, limit, key) for limit, key in self._keys(context)]
        if any(waits):
            raise RateLimited(max(waits))

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

    def _keys(self, context: RequestContext) -> Iterator[tuple[Limit, str]]:
        names = context.operation.policy.rate_limit if context.operation else UNMATCHED
        for limit in map(self._limits.__getitem__, names):
            if limit.applies_to(context):
                yield limit, limit.key_of(context)

    def _hit(self, context: RequestContext, limit: Limit, key: str) -> int:
        """Seconds to wait, 0 when the bucket is not empty."""
        count = self._counter.hit(limit.item, key)
        bucket = _bucket(limit, count)
        context.buckets.append(bucket)
        if count.within:
            return 0
        RATE_LIMIT_REFUSALS.labels(limit.name).inc()
        return bucket.resets_in


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
