"""Knows which statements that ask all buckets of a workspace were tried on a Citus cluster, and judges every statement for a cluster.

The list is whole_reads.toml. docs/howto/develop.md says how a statement gets there.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sqlglot import exp

from tests.storage.fitness import CONTROL, EXEMPT, parsed
from tests.storage.reach import Reach, reach, refusals, refused_locks

LIST = Path(__file__).with_suffix(".toml")
ON_ONE_MACHINE = frozenset({
    "definitions.py:hold_workspace", "definitions.py:hold_fields", "definitions.py:hold_groups", "exports.py:lock_exports",
    "people/identities.py:resolve", "insights/advice.sql:note_reads", "trusted_documents.py:lock",
})  # fmt: skip
"""The statements of one machine that have others in their place on a cluster: storage/cluster/row_locks.py and storage/postgres/known_buckets.py say why."""


def refused(name: str, text: str, *, is_written: bool) -> Iterator[str]:
    """What makes a statement unfit for a cluster. `name` is its place in the source; `is_written` tells that its text stands there in full."""
    if (tree := _tree(text)) is None:
        return
    if name in ON_ONE_MACHINE:
        return
    yield from refused_locks(tree)
    if reach(tree) < Reach.WHOLE:
        yield from refusals(tree)
    elif (line := line_of(name, text, is_written=is_written)) not in tried():
        yield f"asks more buckets than it names, and was not tried on a cluster: {LIST.name} has no {line!r}"


def asks_whole_workspaces(text: str) -> bool:
    tree = _tree(text)
    return tree is not None and reach(tree) is Reach.WHOLE


def _tree(text: str) -> exp.Expr | None:
    """None for statements that begin or end transactions, or that no rule concerns."""
    return None if text.strip() in EXEMPT or CONTROL.fullmatch(text.strip()) else parsed(text)[0]


def line_of(name: str, text: str, *, is_written: bool) -> str:
    """How the list names a statement. One that is written out has a digest of its text, so that it is tried again when it changes."""
    digest = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:8]
    return f"{name} {digest}" if is_written else name


@cache
def tried() -> frozenset[str]:
    return frozenset(
        line for run in tomllib.loads(LIST.read_text(encoding="utf-8"))["tried"] for line in run["statements"]
    )
