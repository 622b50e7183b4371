"""Bounds what a token may do over time: each operation costs points, and a token's budget of points is refilled at a constant rate.

All processes share the budgets through a ledger. It must not know what a point stands for, nor where the ledger is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import Final

from audience_gql.audience.ports import LedgerAway, PointLedger
from audience_gql.audience.tasks import end

SETTLE_SECONDS: Final = 1.0
"""How often a process tells the ledger what its tokens have spent, if that is little."""
CREDIT_SHARE: Final = 20
"""A process may spend one part in so many of a full budget before the ledger knows of it, but at least `LEAST_CREDIT`."""
LEAST_CREDIT: Final = 5_000
"""In points: as much as one operation may cost."""
WAIT_SECONDS: Final = 0.1
"""How long an operation waits for the ledger at most, and only if its token has used up the credit. Then the process goes on by itself."""

logger = logging.getLogger(__name__)


class OutOfPoints(Exception):
    """The token has fewer points left than the operation costs. Nothing was done."""

    def __init__(self, *, cost: int, remaining: int, most: int, per_second: int) -> None:
        self.cost = cost
        self.remaining = remaining
        self.per_second = per_second
        self.retry_after_seconds = max(1, ceil((cost - remaining) / per_second))
        """When the budget will hold enough points, if the token spends nothing until then."""
        super().__init__(
            f"The operation costs {cost:,} points, and the token has {max(remaining, 0):,} left. It gets {per_second:,} a second, up to "
            f"{most:,}. Nothing was changed. Try again in {self.retry_after_seconds} s."
        )


@dataclass(slots=True)
class _Account:
    """What a process knows of one token's budget."""

    balance: float
    """The points at `at`, less everything that this process has spent."""
    at: float
    owed: int = 0
    """What was spent and not told to the ledger."""
    sent: int = 0
    """What is on its way to the ledger."""


class Budgets:
    """The budgets of all tokens, as one process sees them. Create it inside a running event loop if it has a ledger, and close it.

    Spending is counted at once here, and in the ledger a moment later. So all processes together spend at most what a budget holds and
    gets, and once the credit of each process more. Without an answer of the ledger, the process counts by itself.
    """

    def __init__(
        self,
        *,
        most: int,
        per_second: int,
        ledger: PointLedger | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`most` is the size of a full budget. With 0, nothing is limited."""
        self.most = most
        self.per_second = per_second
        self.credit = max(LEAST_CREDIT, most // CREDIT_SHARE)
        self._ledger = ledger
        self._now = now
        self._accounts: dict[int, _Account] = {}
        self._is_alone = ledger is None
        self._is_owing = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._settled = asyncio.Event()
        self._task = asyncio.create_task(self._run(ledger), name="budgets") if ledger and most else None

    async def spend(self, token_id: int, points: int) -> int:
        """Spend these points of a token. Returns how many are left. Raises OutOfPoints, and then nothing is spent."""
        left = self.spend_now(token_id, points)
        if left is not None:
            return left
        await self._use_less_credit(self._account(token_id), points)
        return self._spend(self._account(token_id), points)

    def spend_now(self, token_id: int, points: int) -> int | None:
        """As `spend`, unless the credit is used up. Then it returns None, and `spend` waits for the ledger."""
        if not self.most:
            return 0
        account = self._account(token_id)
        if not self._is_alone and account.owed + account.sent + points > self.credit:
            return None
        return self._spend(account, points)

    def _spend(self, account: _Account, points: int) -> int:
        if not self._is_alone and account.owed + points > self.credit / 2:
            self._is_urgent.set()
        self._is_owing.set()  # also while the ledger is away, so that it is asked again
        if account.balance < points:
            raise OutOfPoints(
                cost=points, remaining=int(account.balance), most=self.most, per_second=self.per_second
            )
        account.balance -= points
        account.owed += points
        return int(account.balance)

    async def settle(self) -> None:
        """Tell the ledger what was spent, and learn what the other processes have spent."""
        if self._ledger is not None:
            await self._settle(self._ledger)

    async def close(self) -> None:
        """Tell the ledger the rest, and stop."""
        if self._task is not None:
            await end(self._task)
            await self.settle()

    def _account(self, token_id: int) -> _Account:
        """The account of a token with what it has got up to now."""
        now = self._now()
        account = self._accounts.get(token_id)
        if account is None:
            account = self._accounts[token_id] = _Account(balance=self.most, at=now)
        elif now > account.at:
            account.balance = min(self.most, account.balance + (now - account.at) * self.per_second)
            account.at = now
        return account

    async def _use_less_credit(self, account: _Account, points: int) -> None:
        """Wait until the ledger knows enough of what was spent, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                while account.owed + account.sent and account.owed + account.sent + points > self.credit:
                    if self._is_alone:
                        return
                    self._is_urgent.set()
                    self._is_owing.set()
                    await self._settled.wait()

    async def _run(self, ledger: PointLedger) -> None:
        while True:
            await self._is_owing.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._is_urgent.wait()
            await self._settle(ledger)

    async def _settle(self, ledger: PointLedger) -> None:
        self._is_owing.clear()
        self._is_urgent.clear()
        spent: dict[int, int] = {}
        for token_id, account in self._accounts.items():
            if account.owed:
                spent[token_id] = account.sent = account.owed
                account.owed = 0
        balances: dict[int, float] = {}
        if spent:
            try:
                balances = await ledger.settle(spent, most=self.most, per_second=self.per_second)
                self._note_alone(is_alone=False)
            except LedgerAway as away:  # what was spent stays counted here
                self._note_alone(is_alone=True, reason=away)
        for token_id, account in self._accounts.items():
            account.sent = 0
            if token_id in balances:
                account.balance, account.at = balances[token_id] - account.owed, self._now()
        self._forget_full_ones()
        settled, self._settled = self._settled, asyncio.Event()
        settled.set()

    def _note_alone(self, *, is_alone: bool, reason: LedgerAway | None = None) -> None:
        if is_alone and not self._is_alone:
            logger.warning("budgets of points are not shared until Redis answers: %s", reason)
        self._is_alone = is_alone

    def _forget_full_ones(self) -> None:
        for token_id in list(self._accounts):
            account = self._account(token_id)
            if account.balance >= self.most and not account.owed:
                del self._accounts[token_id]
