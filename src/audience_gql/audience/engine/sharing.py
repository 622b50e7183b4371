"""Which worker ticks which bucket: the worker with the highest hash of both (rendezvous hashing), so that a worker that starts or stops
moves only its own share.

The bucket's lock keeps memberships right whichever worker ticks. Sharing only keeps workers from waiting for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Final

MISSED_AFTER: Final = timedelta(seconds=3)
"""A worker without a heartbeat for this long counts as dead. The other workers then take its buckets."""


class Share:
    """The buckets of one worker among the workers in `alive`. With no others, all buckets are its own."""

    def __init__(self, worker_id: int, alive: Sequence[int] = ()) -> None:
        self._worker_id = worker_id
        self._others = tuple(sorted(set(alive) - {worker_id}))

    def has(self, bucket_id: int) -> bool:
        """Whether this worker ticks the bucket."""
        own = _weight(self._worker_id, bucket_id)
        return all(_weight(other, bucket_id) < own for other in self._others)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Share) and (self._worker_id, self._others) == (
            other._worker_id,
            other._others,
        )

    def __hash__(self) -> int:
        return hash((self._worker_id, self._others))


def _weight(worker_id: int, bucket_id: int) -> bytes:
    return blake2b(b"%d %d" % (worker_id, bucket_id), digest_size=8).digest()
