"""When an answer is compressed, and that it is the same answer."""

from __future__ import annotations

import gzip

import pytest

from audience_gql.api.transport.compression import LEAST_BYTES, compressed

BODY = b'{"data":{"people":[%s]}}' % b",".join(b'{"id":"sub_%d"}' % number for number in range(500))


@pytest.mark.parametrize(
    "accepted",
    ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.5", "*", "*;q=0.1", "x-gzip", "deflate ,gzip ;q=0.001", "gzip;level=9"],
)  # fmt: skip
def test_an_answer_is_compressed_for_who_accepts_it(accepted):
    body, headers = compressed(BODY, accepted)

    assert headers == {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    assert len(body) < len(BODY) / 4
    assert gzip.decompress(body) == BODY


@pytest.mark.parametrize(
    "accepted", ["", "identity", "br, deflate", "gzip;q=0", "gzip;q=0, *", "*;q=0", "gzip;q=much", "gzipped"]
)
def test_and_not_for_others(accepted):
    assert compressed(BODY, accepted) == (BODY, {"Vary": "Accept-Encoding"})


def test_a_small_answer_stays_as_it_is():
    small = b"x" * (LEAST_BYTES - 1)

    assert compressed(small, "gzip") == (small, {})
    assert compressed(small + b"x", "gzip")[1]["Content-Encoding"] == "gzip"


def test_the_same_answer_is_always_the_same_bytes():
    assert compressed(BODY, "gzip") == compressed(BODY, "gzip")
