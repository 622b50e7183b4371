"""The wheel brings the playground along: its page is built, with a Node that comes as a wheel where the machine has none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(_ROOT / "playground"))

import builder  # noqa: E402  # lies beside what it builds

_WITHOUT = "AUDIENCE_WITHOUT_PLAYGROUND"


class Playground(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is hatchling's own configuration
    """Runs before a wheel is packed. An editable installation is served from the checkout, where `dev` builds the page."""

    def dependencies(self) -> list[str]:
        if self._is_left_out() or builder.is_current() or builder.find_node():
            return []
        pinned = (_ROOT / "locks" / "node.txt").read_text(encoding="utf-8")
        return [pinned.split(" ", 1)[0]]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # Any: hatchling's
        if version == "editable" or self._is_left_out():
            return
        try:
            builder.build(lambda: None)
        except builder.NotBuilt as error:
            message = f"{error}\nSet {_WITHOUT}=1 for a wheel without the playground."
            raise RuntimeError(message) from error

    def _is_left_out(self) -> bool:
        return self.target_name != "wheel" or bool(os.environ.get(_WITHOUT))
