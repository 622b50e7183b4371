"""Which tests of a run share a process: they share what is dear to start, or must not run at the same time.

By their files: xdist's own groups are written into the names of tests, which pytest 9.2 no longer lets anybody change.
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


class Together(LoadScopeScheduling):
    """Every test goes where there is room, but for those that share: they all go where the first of them went."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _SHARES.get(file, nodeid)
