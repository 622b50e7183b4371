"""Whatever is sent, the verdict comes in milliseconds, as a refusal and never as a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from audience_gql.conditions.base import InvalidCondition
from tests.calls import counting_calls
from tests.conditions.world import condition_of

_MANY = 1_000_000
_MOST_CALLS = 60_000
"""Of functions, Python's own included: a few milliseconds' worth, and the same on every machine."""


def _deep(step: Callable[[Any], Any], times: int) -> Any:  # Any: nested input
    value: Any = {"country": {"is": "LT"}}
    for _ in range(times):
        value = step(value)
    return value


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: _deep(lambda inner: {"not": inner}, 100_000), id="deep in not"),
        pytest.param(lambda: _deep(lambda inner: {"all": [inner]}, 100_000), id="deep in all"),
        pytest.param(
            lambda: {"country": {"is": _deep(lambda inner: [inner], 100_000)}}, id="deep where text belongs"
        ),
        pytest.param(
            lambda: {"country": {"in": [_deep(lambda inner: {"x": inner}, 100_000)]}}, id="deep in a list"
        ),
        pytest.param(lambda: {"all": [{"country": {"is": "LT"}}] * _MANY}, id="many leaves"),
        pytest.param(lambda: {"all": [{"all": []}] * _MANY}, id="many empty lists"),
        pytest.param(lambda: {"all": [{}] * _MANY}, id="many empty objects"),
        pytest.param(lambda: {"all": [None] * _MANY}, id="many nulls"),
        pytest.param(lambda: _deep(lambda inner: {"all": [inner] * 3}, 30), id="doubling"),
        pytest.param(lambda: {"country": {"in": ["x"] * _MANY}}, id="many texts"),
        pytest.param(lambda: {"country": {"is": "x" * 10 * _MANY}}, id="long text"),
        pytest.param(
            lambda: {"field": {"key": "size", "number": {"eq": 1 << 10_000_000}}}, id="long integer"
        ),
        pytest.param(lambda: {"group": {"anyOf": [1 << 10_000_000]}}, id="long integer as an id"),
        pytest.param(lambda: {"group": {"anyOf": ["9" * 1_000]}}, id="long id"),
        pytest.param(lambda: {"x" * 10 * _MANY: 1}, id="long name"),
        pytest.param(lambda: {str(number): 1 for number in range(100_000)}, id="many names"),
        pytest.param(lambda: {"\ud800\0": 1}, id="a name that is no text"),
        pytest.param(lambda: {"country": {5: "LT"}}, id="a name that is a number"),
    ],
)
def test_refused_at_once(make: Callable[[], object]) -> None:
    value = make()

    with counting_calls() as calls, pytest.raises(InvalidCondition) as caught:
        condition_of(value)

    assert calls[0] < _MOST_CALLS
    assert 1 <= len(caught.value.problems) <= 100
    for problem in caught.value.problems:
        text = problem.message + "".join(problem.path)
        assert len(text) < 1_000
        text.encode()
        assert "\0" not in text


def test_an_input_that_contains_itself() -> None:
    value: dict[str, Any] = {}
    value["not"] = value

    with pytest.raises(InvalidCondition):
        condition_of(value)
