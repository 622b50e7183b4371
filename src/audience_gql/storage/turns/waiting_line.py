"""Those who wait for their turn: workspaces take turns, and tokens take turns within a workspace.

It must not know what they wait for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from audience_gql.storage.turns.deadlines import Deadline, Deadlines


class Overloaded(Exception):
    """No place became free in time, or too many operations already wait for one. Nothing was done, so the caller can retry later."""

    has_no_values = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The token that some work is done for, and its workspace."""

    workspace_id: int
    token_id: int


class _Turn(Deadline):
    """Somebody's turn, which comes or does not come in time."""

    __slots__ = ("asker", "comes")

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.comes: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_late(self) -> None:
        if not self.comes.done():
            self.comes.set_exception(Overloaded("no place became free in time"))

    def has_come(self) -> bool:
        return self.comes.done() and not self.comes.cancelled() and self.comes.exception() is None


class WaitingLine:
    """One line of a process."""

    def __init__(self, *, per_token: int, seconds: float) -> None:
        self._per_token = per_token
        self._deadlines = Deadlines(seconds)
        self.waiting: dict[int, dict[int, deque[_Turn]]] = {}
        """Those who wait, by workspace, then by token. The first one is served next."""

    def __len__(self) -> int:
        return sum(len(queue) for tokens in self.waiting.values() for queue in tokens.values())

    async def wait(self, asker: Asker, on_lost: Callable[[], None]) -> None:
        """Wait until served. Raises Overloaded. `on_lost` is called if the caller was served and cancelled at the same moment."""
        queue = self.waiting.setdefault(asker.workspace_id, {}).setdefault(asker.token_id, deque())
        if len(queue) >= self._per_token:
            raise Overloaded("too many operations of this token are already waiting")
        turn = _Turn(asker)
        queue.append(turn)
        self._deadlines.begin(turn)
        try:
            await turn.comes
        except BaseException:
            if turn.has_come():
                on_lost()
            else:
                queue.remove(turn)
                self._forget_if_empty(asker.workspace_id, asker.token_id)
            raise
        finally:
            self._deadlines.end(turn)

    def serve_next(self, may: Callable[[Asker], bool]) -> bool:
        """Serve the next one who may have a turn. `may` takes the turn if it returns True. Returns False if there is nobody."""
        for workspace_id, tokens in self.waiting.items():
            for token_id, queue in tokens.items():
                turn: _Turn | None = queue[0]
                if turn is not None and turn.comes.done():
                    turn = next((it for it in queue if not it.comes.done()), None)
                if turn is None:
                    continue  # all of them are cancelled, and remove themselves
                if not may(turn.asker):
                    continue
                queue.remove(turn)
                turn.comes.set_result(None)
                if len(tokens) > 1:
                    tokens[token_id] = tokens.pop(token_id)
                if len(self.waiting) > 1:
                    self.waiting[workspace_id] = self.waiting.pop(workspace_id)
                self._forget_if_empty(workspace_id, token_id)
                return True
        return False

    def _forget_if_empty(self, workspace_id: int, token_id: int) -> None:
        tokens = self.waiting.get(workspace_id, {})
        if token_id in tokens and not tokens[token_id]:
            del tokens[token_id]
        if not tokens:
            self.waiting.pop(workspace_id, None)
