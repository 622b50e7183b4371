"""Fixtures: a workspace with an engine that a test ticks by hand, and separate servers that it may break."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.audience.conftest import clock, house
from tests.faults.conftest import servers, template, world

__all__ = ["clock", "house", "servers", "template", "world"]


@pytest.fixture(scope="session")
def storms() -> Counter[str]:
    """What happened in the storms that passed."""
    return Counter()
