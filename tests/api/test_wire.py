"""JSON in and out."""

from __future__ import annotations

import json
import random
import re
from decimal import Decimal

import pytest

from audience_gql.api.transport.wire import JSON_DEPTH, Unreadable, decode, encode
from audience_gql.conditions.values import Inexact, decimal_of


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
    rows = [[number] for number in range(1_000)]
    assert decode(json.dumps(rows)) == rows


def test_integers_beyond_64_bits_are_written():
    assert encode({"a": [2**70, "ß"]}) == f'{{"a":[{2**70},"ß"]}}'.encode()


@pytest.mark.parametrize(
    "place", ['{"a":%s}', '{"a": [1, %s ], "c1e5, ": "y"}', '{"1e5":{\n"b" :\t%s\n}}', "[%s,%s]"]
)
def test_no_number_is_rounded_wherever_it_is(place):
    chance = random.Random(14)
    for _ in range(3_000):
        spelled = number(chance)

        value = json.loads(place.replace("%s", '"x"').replace("x", spelled))
        found = decode(place.replace("%s", spelled))

        assert found == decode(place.replace("%s", spelled).encode())
        assert seen(found) == seen(value), spelled


def seen(value: object) -> object:
    """The value with numbers, and texts that are numbers, as what they say exactly."""
    match value:
        case dict():
            return {key: seen(inner) for key, inner in value.items()}
        case list():
            return [seen(inner) for inner in value]
        case Inexact(text=text):
            return Decimal(text)
        case str() if re.fullmatch(r"-?[0-9][0-9.]*([eE][+-]?[0-9]+)?", value):
            return Decimal(value)
        case str():
            return value
        case int() | float() | Decimal():
            return decimal_of(value)
        case _:
            raise TypeError(type(value))


def number(chance: random.Random) -> str:
    """A number in JSON, with few digits or many."""
    digits = "".join(chance.choices("0123456789", k=chance.choice([1, 3, 15, 16, 17, 30]))).lstrip("0") or "0"
    fraction = chance.choice(
        ["", "", ".5", f".{chance.randrange(10**15):015}", f".{chance.randrange(10**17)}"]
    )
    exponent = chance.choice(["", "", "e5", "E-3", "e+20", "e-400", "e-0400", "e0005"])
    return f"{chance.choice(['', '-'])}{digits}{fraction}{exponent}"
