"""Spends a token's points on an operation before it runs, and tells the client: in the result if it asks, and in headers over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from audience_gql.api.context import Services
from audience_gql.api.operations.operating import NotAnswered
from audience_gql.api.schema import Candidate
from audience_gql.api.transport.exchange import Header
from audience_gql.audience.access import Access
from audience_gql.audience.budgets import Budgets, OutOfPoints

REFUSAL_SECONDS: Final = 0.5
"""How long a client waits for a refusal that tells it to come again later. Without it, one that asks at once again costs a whole core."""


@dataclass(slots=True)
class Paid:
    """What an operation cost, and what the token has left. Each operation has one, and frozen ones take three times as long to make."""

    points: int
    remaining: int
    budgets: Budgets

    @property
    def extensions(self) -> dict[str, object]:
        """The extensions of the result. Without budgets, nothing is known but the cost."""
        is_limited = self.budgets.most > 0
        return {
            "cost": {
                "requested": self.points,
                "remaining": self.remaining if is_limited else None,
                "restoreRate": self.budgets.per_second if is_limited else None,
            }
        }


async def pay(candidate: Candidate, services: Services, access: Access) -> Paid:
    """Spend what the operation costs. Raises OutOfPoints."""
    points = candidate.charge
    budgets = services.budgets
    remaining = budgets.spend_now(access.token.id, points)
    if remaining is None:
        remaining = await budgets.spend(access.token.id, points)
    return Paid(points, remaining, budgets)


async def hold_back(refusal: OutOfPoints | NotAnswered) -> None:
    """Wait before a client learns that it asks for too much. The operation must hold no place meanwhile."""
    if isinstance(refusal, OutOfPoints) or refusal.is_overload:
        await asyncio.sleep(REFUSAL_SECONDS)


class BudgetHeaders:
    """The headers of the IETF's draft "RateLimit header fields for HTTP" for one process' budgets. Without budgets, there are none."""

    __slots__ = ("_policy",)

    def __init__(self, budgets: Budgets) -> None:
        self._policy: Header | None = None
        if budgets.most:
            window_seconds = -(-budgets.most // budgets.per_second)
            policy = f'"points";q={budgets.most};qu="points";w={window_seconds}'
            self._policy = b"ratelimit-policy", policy.encode()

    def after(self, remaining: int) -> tuple[Header, ...]:
        """For an operation that ran."""
        if self._policy is None:
            return ()
        return self._policy, (b"ratelimit", b'"points";r=%d' % max(remaining, 0))

    def refused(self, remaining: int, retry_after_seconds: int) -> tuple[Header, ...]:
        """For an operation that was refused because there are too few points left."""
        if self._policy is None:
            return ()
        limit = b'"points";r=%d;t=%d' % (max(remaining, 0), retry_after_seconds)
        return self._policy, (b"ratelimit", limit)
