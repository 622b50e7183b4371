"""What monitoring asks about automations: how many runs there are, and how far the slowest automation lags behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage.acting import runs

_LATELY: Final = timedelta(hours=1)
_ENDED: Final = ("DONE", "CANCELLED", "SKIPPED", "FAILED", "CUT_OFF")


async def metrics(*, ports: Ports) -> dict[str, float]:
    """The metrics of automations by name."""
    async with ports.database.acquire() as connection:
        now = await ports.clock.now(connection)
        totals = await runs.totals(connection, now - _LATELY)
    lag = 0.0 if totals.oldest_unread is None else (now - totals.oldest_unread).total_seconds()
    return {
        "audience_runs_waiting": totals.by_state.get("WAITING", 0),
        **{f"audience_runs_{state.lower()}_last_hour": totals.by_state.get(state, 0) for state in _ENDED},
        "audience_acting_lag_seconds": max(lag, 0.0),
    }
