"""Brings conditions into a form in which different spellings are equal, and shows which parts are always or never true.

The form does not depend on order, nesting, repetition, double negation or De Morgan's laws. Only hints for people use it: equal
forms have the same meaning, but not all conditions with the same meaning have equal forms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias

from audience_gql.conditions.base import Condition, Leaf
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.kinds.later import Later
from audience_gql.conditions.reasoning.comparisons import Comparison, can_hold_together, comparison_of
from audience_gql.conditions.reasoning.constants import verdict_of
from audience_gql.conditions.reasoning.regions import spelled
from audience_gql.conditions.vocabulary import PLAIN_IDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A leaf, or its complement."""

    key: object
    holds: bool
    comparison: Comparison | None = field(compare=False)


@dataclass(frozen=True, slots=True)
class Every:
    """All of these parts. None of them is an Every."""

    parts: frozenset[Form]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these parts. None of them is a Some."""

    parts: frozenset[Form]


Form: TypeAlias = Literal | Every | Some

ALWAYS: Final = Every(frozenset())
NEVER: Final = Some(frozenset())


def canonical(condition: Condition) -> Form:
    """The form of a condition. ALWAYS or NEVER if simple reasoning shows that."""
    return forms_of_parts(condition)[id(condition)]


def forms_of_parts(condition: Condition) -> Mapping[int, Form]:
    """The form of a condition and of each of its parts, by `id` of the node."""
    forms: dict[int, Form] = {}
    _note(condition, forms)
    return forms


def complement(form: Form) -> Form:
    """The form that is true exactly where this one is false."""
    match form:
        case Literal(key=key, holds=holds, comparison=comparison):
            return Literal(key=key, holds=not holds, comparison=comparison)
        case Every(parts=parts):
            return Some(frozenset(complement(part) for part in parts))
        case Some(parts=parts):
            return Every(frozenset(complement(part) for part in parts))


def without(form: Form, subject: str) -> Form:
    """The form for people whose value of `subject` is missing."""
    match form:
        case Literal(comparison=Comparison() as comparison) if comparison.subject == subject:
            return ALWAYS if comparison.holds_when_missing is form.holds else NEVER
        case Every(parts=parts):
            return _every(without(part, subject) for part in parts)
        case Some(parts=parts):
            return _some(without(part, subject) for part in parts)
        case _:
            return form


def _note(condition: Condition, forms: dict[int, Form]) -> Form:
    match condition:
        case All(conditions=children):
            form = _every([_note(child, forms) for child in children])
        case AnyOf(conditions=children):
            form = _some([_note(child, forms) for child in children])
        case Not(condition=child):
            form = complement(_note(child, forms))
        case Later(condition=child):
            form = _moved(_note(child, forms), condition.lead)
        case Leaf():
            form = _literal(condition)
        case _:
            raise TypeError(f"no form for {condition!r}")
    forms[id(condition)] = form
    return form


def _moved(form: Form, lead: timedelta) -> Form:
    """The same form so much later: none of its literals is equal to one of now."""
    match form:
        case Literal(key=("later", timedelta() as further, key), holds=holds):
            return Literal(key=("later", lead + further, key), holds=holds, comparison=None)
        case Literal(key=key, holds=holds):
            return Literal(key=("later", lead, key), holds=holds, comparison=None)
        case Every(parts=parts):
            return Every(frozenset(_moved(part, lead) for part in parts))
        case Some(parts=parts):
            return Some(frozenset(_moved(part, lead) for part in parts))


def _literal(leaf: Leaf) -> Form:
    verdict = verdict_of(leaf)
    if verdict is not None:
        return ALWAYS if verdict else NEVER
    comparison = comparison_of(leaf)
    if comparison is None:
        return Literal(key=spelled(leaf.dump(PLAIN_IDS)), holds=True, comparison=None)
    if not can_hold_together([(comparison, True)]):
        return NEVER
    if not can_hold_together([(comparison, False)]):
        return ALWAYS
    comparison, holds = comparison.affirmed()
    return Literal(key=comparison.key, holds=holds, comparison=comparison)


def _some(forms: Iterable[Form]) -> Form:
    return complement(_every(complement(form) for form in forms))


def _every(forms: Iterable[Form]) -> Form:
    parts: set[Form] = set()
    for form in forms:
        parts |= form.parts if isinstance(form, Every) else {form}
    if NEVER in parts or any(complement(part) in parts for part in parts) or _contradict(parts):
        return NEVER
    needed = frozenset(part for part in parts if not (isinstance(part, Some) and part.parts & parts))
    return next(iter(needed)) if len(needed) == 1 else Every(needed)


def _contradict(parts: Iterable[Form]) -> bool:
    """Whether comparisons of the same thing exclude each other."""
    literals: dict[str, list[tuple[Comparison, bool]]] = defaultdict(list)
    for part in parts:
        if isinstance(part, Literal) and part.comparison is not None:
            literals[part.comparison.subject].append((part.comparison, part.holds))
    return any(len(it) > 1 and not can_hold_together(it) for it in literals.values())
