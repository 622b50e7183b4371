"""Decides which tests of a run share a process: tests that share something expensive to start, or must not run at the same time.

Groups are listed here by file: xdist writes its own groups into the names of tests, and pytest 9.2 no longer allows changing names.
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling

_SHARES: Final = {
    "tests/api/test_forgotten.py": "product",
    "tests/browser/test_dashboard.py": "product",
    "tests/browser/test_playground.py": "product",
    "tests/examples/test_listener.py": "product",
    "tests/faults/test_resume.py": "storm",
    "tests/fuzz/test_storm.py": "storm",
    "tests/test_newcomer.py": "newcomer",
}


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """Sends each test to a process with room. All tests of one group go to the process of the group's first test."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _SHARES.get(file, nodeid)
