"""Iterates over the syntax tree of a document: each node once, without recursion.

It must not know the schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from graphql import ListValueNode, Node, ObjectValueNode


def nodes(root: Node) -> Iterator[tuple[Node, int]]:
    """The root and every node below it, with its depth within list and object values."""
    waiting: list[tuple[Node, int]] = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        for child in _children(node):
            is_nested = isinstance(child, ListValueNode | ObjectValueNode)
            waiting.append((child, depth + 1 if is_nested else depth))


def _children(node: Node) -> Iterable[Node]:
    for key in node.keys:
        child: Any = getattr(node, key)  # Any: a node, several, or something else
        if isinstance(child, Node):
            yield child
        elif isinstance(child, list | tuple):
            yield from (it for it in child if isinstance(it, Node))
