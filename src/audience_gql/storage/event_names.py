"""What a process remembers of workspaces' event names, so that a batch of known ones asks for none.

It must hold only what is committed: a name that is interned keeps its id for ever, one that is rolled back never had one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_WORKSPACES: Final = 200
"""Of at most a thousand names each; the one that was asked for longest ago is forgotten first."""

_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class EventNames:
    """One process' memory. What is missing here may be there by now: then the table is to be asked."""

    def __init__(self) -> None:
        self._by_workspace: OrderedDict[int, Mapping[str, int]] = OrderedDict()

    def known(self, workspace_id: int) -> Mapping[str, int]:
        names = self._by_workspace.get(workspace_id)
        if names is None:
            return _NONE
        self._by_workspace.move_to_end(workspace_id)
        return names

    def remember(self, workspace_id: int, names: Mapping[str, int]) -> None:
        """Call this after the commit of the transaction that read or interned them."""
        known = self.known(workspace_id)
        self._by_workspace[workspace_id] = {**known, **names}
        if len(self._by_workspace) > _WORKSPACES:
            self._by_workspace.popitem(last=False)
