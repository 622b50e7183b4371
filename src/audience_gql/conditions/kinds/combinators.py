"""all, any, not: the nodes that contain conditions. A condition is true or false, so `not` is the plain complement."""

from __future__ import annotations

from dataclasses import dataclass

from audience_gql.conditions.base import Condition, Moment, Names
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import CONDITION
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec
from audience_gql.conditions.words.wording import set_apart


@dataclass(frozen=True, slots=True, kw_only=True)
class All(Condition):
    """Every inner condition holds. Without any, it matches everyone."""

    conditions: tuple[Condition, ...]

    @property
    def children(self) -> tuple[Condition, ...]:
        return self.conditions

    def dump(self, ids: IdCodec) -> dict[str, Json]:
        return {"all": [condition.dump(ids) for condition in self.conditions]}

    def summary(self, names: Names) -> str:
        return _joined("and", self.conditions, names) or "who are anyone"

    def negation(self, names: Names) -> str | None:
        return _negation_of_one(self.conditions, names)

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return all(condition.evaluate(person, moment) for condition in self.conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf(Condition):
    """At least one inner condition holds. Without any, it matches no one."""

    conditions: tuple[Condition, ...]

    @property
    def children(self) -> tuple[Condition, ...]:
        return self.conditions

    def dump(self, ids: IdCodec) -> dict[str, Json]:
        return {"any": [condition.dump(ids) for condition in self.conditions]}

    def summary(self, names: Names) -> str:
        return _joined("or", self.conditions, names) or "who are no one"

    def negation(self, names: Names) -> str | None:
        return _negation_of_one(self.conditions, names)

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return any(condition.evaluate(person, moment) for condition in self.conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Condition):
    """The inner condition does not hold, also when that is because of a missing value."""

    condition: Condition

    @property
    def children(self) -> tuple[Condition, ...]:
        return (self.condition,)

    def dump(self, ids: IdCodec) -> dict[str, Json]:
        return {"not": self.condition.dump(ids)}

    def summary(self, names: Names) -> str:
        return self.condition.negation(names) or f"who are not {among(self.condition, names)}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return not self.condition.evaluate(person, moment)


def among(condition: Condition, names: Names) -> str:
    """`among those whose country is "LT"`, with parentheses around several clauses."""
    clause = condition.summary(names)
    return f"among those {clause if _is_single(condition) else f'({clause})'}"


def _joined(joint: str, conditions: tuple[Condition, ...], names: Names) -> str:
    """The joined clauses. Parentheses show what belongs together and how far a negation reaches."""
    clauses = [condition.summary(names) for condition in conditions]
    if len(conditions) == 1:
        return clauses[0]
    is_whole = [_is_single(condition) and not _is_negated(condition, names) for condition in conditions]
    return f" {joint} ".join(
        set_apart(clause) if whole else f"({clause})" for clause, whole in zip(clauses, is_whole, strict=True)
    )


def _is_single(condition: Condition) -> bool:
    """Whether the condition's clause joins no other clauses."""
    match condition:
        case All(conditions=conditions) | AnyOf(conditions=conditions):
            return not conditions or (len(conditions) == 1 and _is_single(conditions[0]))
    return True


def _is_negated(condition: Condition, names: Names) -> bool:
    """Whether the clause begins with a "not" that could seem to reach as far as the next clauses."""
    match condition:
        case All(conditions=(only,)) | AnyOf(conditions=(only,)):
            return _is_negated(only, names)
        case Not(condition=inner):
            return inner.negation(names) is None
    return False


def _negation_of_one(conditions: tuple[Condition, ...], names: Names) -> str | None:
    """An `all` or `any` of one condition reads like that one."""
    return conditions[0].negation(names) if len(conditions) == 1 else None


def _all(conditions: tuple[Condition, ...], parsing: Parsing) -> Condition:
    is_root = parsing.depth == 1
    if not (conditions or is_root or parsing.allow_empty):
        parsing.problem(
            "REQUIRED",
            "needs at least one condition; an empty list matches everyone, which only a whole condition may do",
        )
    return All(conditions=conditions)


def _any(conditions: tuple[Condition, ...], parsing: Parsing) -> Condition:
    if not (conditions or parsing.allow_empty):
        parsing.problem("REQUIRED", "needs at least one condition; an empty list matches no one")
    return AnyOf(conditions=conditions)


register(
    Kind(
        name="all",
        label="all of",
        description="Every one of these holds. An empty list matches everyone.",
        type=CONDITION,
        many=True,
        build=_all,
        example=[{"country": {"is": "LT"}}, {"event": {"name": "email_opened"}}],
    )
)
register(
    Kind(
        name="any",
        label="any of",
        description="At least one of these holds. An empty list matches no one.",
        type=CONDITION,
        many=True,
        build=_any,
        example=[{"country": {"is": "LT"}}, {"event": {"name": "email_opened"}}],
    )
)
register(
    Kind(
        name="not",
        label="not",
        description='The complement: `{not: {country: {is: "LT"}}}` includes people without a country.',
        type=CONDITION,
        build=lambda condition, _: Not(condition=condition),
        example={"country": {"is": "LT"}},
    )
)
