"""The ids that the log lines and spans of one operation have in common: of the request, the workspace, the token, the bucket.

Each is kept where the work begins, once. Nothing is looked up until a line is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Final

REQUEST_ID: Final = ContextVar("request_id", default="")
"""The id of the current HTTP request, which the client receives, too; empty on a websocket."""
WORK: Final[ContextVar[Mapping[str, int]]] = ContextVar("work")
"""What a worker's task works on, by the name of the id. Each task has its own."""

_finders: Final[list[Callable[[], Mapping[str, object]]]] = []


def find_with(finder: Callable[[], Mapping[str, object]]) -> None:
    """Include the ids that this function finds. Modules that keep ids call it when they are imported."""
    _finders.append(finder)


def named_ids(ids: Mapping[str, int]) -> dict[str, int]:
    """Ids as the attributes of a span."""
    return {f"audience.{name}": id_ for name, id_ in ids.items()}


def known_ids() -> dict[str, object]:
    """The ids of the current work, by name."""
    found: dict[str, object] = dict(WORK.get({}))
    if request_id := REQUEST_ID.get():
        found["request_id"] = request_id
    for find in _finders:
        found.update(find())
    return found
