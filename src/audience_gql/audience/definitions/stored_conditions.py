"""The conditions of a workspace's segments. Each is parsed only when it is needed, because a save needs few of many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.storage.segment_definitions import SegmentDefinition


class StoredConditions(Mapping[int, Condition]):
    """Conditions by segment id. Those in `edited` replace stored conditions or belong to new segments."""

    def __init__(
        self,
        segments: Sequence[SegmentDefinition],
        vocabulary: Vocabulary,
        edited: Mapping[int, Condition] | None = None,
    ) -> None:
        self._segments = segments
        self._stored = {segment.id: segment for segment in segments}
        self._vocabulary = vocabulary
        self._read = dict(edited or {})
        self._ids = self._stored.keys() | self._read.keys()

    def with_edited(self, segment_id: int, tree: Condition) -> StoredConditions:
        """The same conditions, except that this segment, which may be new, has another one."""
        return StoredConditions(self._segments, self._vocabulary, {**self._read, segment_id: tree})

    def __getitem__(self, segment_id: int) -> Condition:
        if segment_id not in self._read:
            stored = self._stored[segment_id].condition
            self._read[segment_id] = parse(stored, vocabulary=self._vocabulary, ids=PLAIN_IDS)
        return self._read[segment_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)
