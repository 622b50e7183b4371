"""The rooms that these tests play in: a workspace with an engine to tick by hand, and servers of one's own to break."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.audience.conftest import clock, house
from tests.faults.conftest import servers, world

__all__ = ["clock", "house", "servers", "world"]


@pytest.fixture(scope="session")
def storms() -> Counter[str]:
    """What happened in the storms that ended well."""
    return Counter()
