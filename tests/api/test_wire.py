"""JSON in and out."""

from __future__ import annotations

import json

import pytest

from audience_gql.api.transport.wire import JSON_DEPTH, Unreadable, decode, encode


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + "1" + closing * levels


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"nul", b"NaN", b"[Infinity]", b"1e999", b"\xff", b'"\xed\xa0\x80"', b'"\\ud800"', b"{} {}",
        b"'a'", b"\x00", b"\xef\xbb\xbf{}", nested(JSON_DEPTH + 1).encode(), nested(100_000).encode(),
        nested(JSON_DEPTH + 1, '{"a":', "}").encode(),
    ],
)  # fmt: skip
def test_what_is_not_json_is_unreadable(raw):
    with pytest.raises(Unreadable):
        decode(raw)


def test_depth_is_counted_in_values_not_brackets():
    assert decode(nested(JSON_DEPTH)) is not None
    assert decode(json.dumps(["[[[["] * 100)) == ["[[[["] * 100
    assert decode(json.dumps([[number] for number in range(1_000)]))[999] == [999]


def test_integers_beyond_64_bits_are_written():
    assert encode({"a": [2**70, "ß"]}) == f'{{"a":[{2**70},"ß"]}}'.encode()
