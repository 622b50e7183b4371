"""Finishes the JSON that a statement has written: ids and cursors get their opaque form, which SQL would spell more slowly."""

from __future__ import annotations

from orjson import Fragment

from audience_gql.api.context import Context
from audience_gql.api.ids import id_of_mark
from audience_gql.api.pagination import cursor_of
from audience_gql.storage.reads.composed.pieces import MARK


def finished(text: str, context: Context) -> Fragment:
    """The JSON of a root field. Notes the segments that the caller has read."""
    parts = text.split(MARK)
    if len(parts) == 1:
        return Fragment(text)
    read: list[int] = []
    for at in range(1, len(parts), 2):
        mark = parts[at]
        if mark[0] == "[":
            parts[at] = cursor_of(mark.encode())
        elif mark[0].isdigit():
            read.append(int(mark))
            parts[at] = ""
        else:
            parts[at] = id_of_mark(mark)
    if read:
        context.note_reads(read)
    return Fragment("".join(parts))
