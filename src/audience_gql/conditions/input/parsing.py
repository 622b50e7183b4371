"""The state of one parse: the current place in the input, and the problems so far.

It must know no shape and no kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from audience_gql.conditions.base import Problem, ProblemCode
from audience_gql.conditions.limits import MAX_DEPTH, MAX_LEAVES, MAX_PROBLEMS
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary


class TooMuch(Exception):  # not an error but a way out of the recursion; codec.py catches it
    """Stops the parse, because more problems would not help the author."""


class Parsing:
    """Builders look names up here, and note problems here.

    An input with any problem is refused.
    """

    def __init__(self, *, vocabulary: Vocabulary, ids: IdCodec, allow_empty: bool) -> None:
        self.vocabulary = vocabulary
        self.ids = ids
        self.allow_empty = allow_empty
        self.problems: list[Problem] = []
        self.depth = 0
        self._path: list[str] = []
        self._leaves = 0

    def problem(self, code: ProblemCode, message: str, *steps: str) -> None:
        """Note a problem at the current place, or at `steps` below it."""
        self.problems.append(Problem(code=code, message=message, path=(*self._path, *steps)))
        if len(self.problems) >= MAX_PROBLEMS:
            raise TooMuch

    @contextmanager
    def at(self, *steps: str) -> Iterator[None]:
        """Move the current place down by `steps` for the time of the context."""
        self._path.extend(steps)
        try:
            yield
        finally:
            del self._path[len(self._path) - len(steps) :]

    @contextmanager
    def deeper(self) -> Iterator[bool]:
        """Read an inner condition. Yields False, and notes a problem, when it is nested too deep."""
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                self.problem("OUT_OF_RANGE", f"is nested more than {MAX_DEPTH} levels deep")
            yield self.depth <= MAX_DEPTH
        finally:
            self.depth -= 1

    def count_leaf(self) -> None:
        self._leaves += 1
        if self._leaves > MAX_LEAVES:
            self.problem(
                "TOO_MANY", f"a condition can have at most {MAX_LEAVES} leaves; this is one too many"
            )
            raise TooMuch
