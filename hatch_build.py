"""Builds the console and the playground into the wheel, and lists what is inside. If the machine has no Node.js, the build installs it from a wheel."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(_ROOT))

import page_builder  # noqa: E402  # it is beside this file
import supply_chain  # noqa: E402  # the same

_WITHOUT = "AUDIENCE_WITHOUT_PAGES"


class Pages(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is hatchling's own configuration
    """Runs before a wheel is packed. An editable installation serves the pages from the checkout, where `dev` builds them."""

    def dependencies(self) -> list[str]:
        if self._is_left_out() or page_builder.is_current() or page_builder.find_node():
            return []
        pinned = (_ROOT / "locks" / "node.txt").read_text(encoding="utf-8")
        return [pinned.split(" ", 1)[0]]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # Any: hatchling's
        if version != "editable" and self.target_name == "wheel":
            supply_chain.WRITTEN.parent.mkdir(exist_ok=True)
            supply_chain.WRITTEN.write_text(supply_chain.bill_of_materials(), encoding="utf-8")
            build_data["sbom_files"].append(str(supply_chain.WRITTEN.relative_to(_ROOT)))
        if version == "editable" or self._is_left_out():
            return
        try:
            page_builder.build(lambda: None)
        except page_builder.NotBuilt as error:
            message = f"{error}\nSet {_WITHOUT}=1 for a wheel without the pages."
            raise RuntimeError(message) from error

    def _is_left_out(self) -> bool:
        return self.target_name != "wheel" or bool(os.environ.get(_WITHOUT))
