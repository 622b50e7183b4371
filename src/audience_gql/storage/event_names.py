"""Caches the ids of workspaces' event names in a process, so that a batch with only known names needs no query.

It must hold only committed names: a committed name keeps its id for ever, and a rolled back one never had an id.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_WORKSPACES: Final = 200
"""How many workspaces to remember, with at most 1,000 names each. The least recently used one is dropped first."""

_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class EventNames:
    """The cache of one process. A name that is missing here may exist in the table, so ask the table for it."""

    def __init__(self) -> None:
        self._by_workspace: OrderedDict[int, Mapping[str, int]] = OrderedDict()

    def known(self, workspace_id: int) -> Mapping[str, int]:
        names = self._by_workspace.get(workspace_id)
        if names is None:
            return _NONE
        self._by_workspace.move_to_end(workspace_id)
        return names

    def remember(self, workspace_id: int, names: Mapping[str, int]) -> None:
        """Call this after the commit of the transaction that read or created them."""
        known = self.known(workspace_id)
        self._by_workspace[workspace_id] = {**known, **names}
        if len(self._by_workspace) > _WORKSPACES:
            self._by_workspace.popitem(last=False)
