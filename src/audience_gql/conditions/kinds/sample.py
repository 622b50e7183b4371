"""sample: a stable pseudo-random share of the audience, with the same people on every machine and at any time."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from math import ceil
from typing import Final

from audience_gql.conditions.base import Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.properties import nonempty
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import OfRow, Parameters
from audience_gql.conditions.values import Json, number_of
from audience_gql.conditions.vocabulary import IdCodec
from audience_gql.conditions.words.wording import number, quoted

_WHOLE: Final = 100
_HASH_BYTES: Final = 6
_TICKETS: Final = 2 ** (8 * _HASH_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Leaf):
    """The person's ticket for the salt is at least `low` and less than `high` percent of all tickets.

    A ticket is the first six bytes of SHA-256 over the salt, a colon and the number in the subscriber's id.
    """

    low: Decimal
    high: Decimal
    salt: str

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        return {"sample": {"from": number_of(self.low), "to": number_of(self.high), "salt": self.salt}}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        share = f"from {number(self.low)}% up to {number(self.high)}%"
        return f"who fall into the random share {share}, drawn with {quoted(self.salt)}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:  # noqa: ARG002  # at any time
        share = Fraction(_ticket(self.salt, person.id) * _WHOLE, _TICKETS)
        return Fraction(self.low) <= share < Fraction(self.high)

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        return round(_ticket(self.salt, person.id) * _WHOLE / _TICKETS, 6)

    def reads(self) -> frozenset[Read]:
        return frozenset()

    def sql(self, parameters: Parameters) -> OfRow:
        salted = f"{parameters.constant(self.salt + ':', 'text')} || s.id::text"
        digest = f"sha256(convert_to({salted}, 'UTF8'))"
        ticket = f"('x' || encode(substring({digest} FOR {_HASH_BYTES}), 'hex'))::bit(48)::bigint"
        bounds = (parameters.constant(_first_ticket(share), "bigint") for share in (self.low, self.high))
        return OfRow(expression="({0} >= {1} AND {0} < {2})".format(ticket, *bounds))


def _ticket(salt: str, id_: int) -> int:
    return int.from_bytes(sha256(f"{salt}:{id_}".encode()).digest()[:_HASH_BYTES])


def _first_ticket(share: Decimal) -> int:
    """The lowest ticket at or above a share in percent."""
    return ceil(Fraction(share) * _TICKETS / _WHOLE)


def _build(given: Given, parsing: Parsing) -> Sample:
    low, high = Decimal(given["from"]), given["to"]
    if not 0 <= low < high <= _WHOLE:
        parsing.problem("OUT_OF_RANGE", "`from` must be less than `to`, both between 0 and 100")
    return Sample(low=low, high=high, salt=given["salt"])


_SAMPLE_FILTER: Final = Shape(
    name="SampleFilter",
    description="A stable pseudo-random share of the audience, in percent. Disjoint ranges have no people in common.",
    fields=(
        InputField(
            name="from",
            type=Scalar.FLOAT,
            required=True,
            default=0,
            description="The start of the share in percent, included.",
        ),
        InputField(
            name="to",
            type=Scalar.FLOAT,
            required=True,
            description="The end of the share in percent, excluded. 100 is the end of the audience.",
        ),
        InputField(
            name="salt",
            type=Scalar.STRING,
            required=True,
            check=nonempty,
            description="Any text. The same text selects the same people; different texts select independently.",
        ),
    ),
    build=_build,
)

register(
    Kind(
        name="sample",
        label="random share",
        description="The person is in a stable random share of the audience, for example for a split test.",
        type=_SAMPLE_FILTER,
        build=lambda condition, _: condition,
        example={"from": 0, "to": 50, "salt": "autumn"},
    )
)
