"""What monitoring asks about webhooks: how many deliveries there are, and how old the oldest waiting message is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage.acting import deliveries

_LATELY: Final = timedelta(hours=1)
_ENDED: Final = ("DELIVERED", "FAILED", "DROPPED")


async def metrics(*, ports: Ports) -> dict[str, float]:
    """The metrics of webhooks by name."""
    async with ports.database.acquire() as connection:
        now = await ports.clock.now(connection)
        totals = await deliveries.totals(connection, now - _LATELY)
    age = 0.0 if totals.oldest_waiting is None else (now - totals.oldest_waiting).total_seconds()
    return {
        "audience_deliveries_waiting": totals.by_state.get("WAITING", 0),
        **{
            f"audience_deliveries_{state.lower()}_last_hour": totals.by_state.get(state, 0)
            for state in _ENDED
        },
        "audience_oldest_waiting_delivery_seconds": max(age, 0.0),
    }
