"""Warns, in sentences, about effects of a condition that its author may not expect. It examines only the tree.

Every sentence is true. If there is no sentence, that promises nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from audience_gql.conditions.base import Condition, Leaf, Names, leaves
from audience_gql.conditions.kinds.combinators import Not
from audience_gql.conditions.reasoning.canonical import (
    ALWAYS,
    NEVER,
    Form,
    canonical,
    forms_of_parts,
    without,
)
from audience_gql.conditions.reasoning.comparisons import Comparison, comparison_of
from audience_gql.conditions.reasoning.regions import NEGATIVE
from audience_gql.conditions.registry import kinds
from audience_gql.conditions.vocabulary import Vocabulary

_MOST_PARTS: Final = 5
_MOST_NAMED: Final = 20
_MOST_VALUES: Final = 8
_COMES_FROM: Final = {"age": "birthday"}
"""For a kind that is computed: the kind that is missing when the computed value is missing."""
_SURPRISING: Final = frozenset({"age", "birthday"})
"""Kinds whose value may be missing although authors do not expect it, whatever the operator."""
_EQUALITIES: Final = frozenset({"is", "in", "isExactly", "inExactly", "eq", "on", "hasAny", "hasAll"})


def warnings(
    condition: Condition, *, names: Names, vocabulary: Vocabulary, others: Mapping[str, Condition]
) -> tuple[str, ...]:
    """All sentences about a condition. `others` are the existing conditions by the names of their segments."""
    forms = forms_of_parts(condition)
    form = forms[id(condition)]
    found = [*_of_truth(condition, forms, names), *_of_others(form, others)]
    if form not in (ALWAYS, NEVER):
        found += _of_missing_values(condition, form, names)
    return (*found, *_of_the_clock(condition, names, vocabulary), *_of_event_names(condition, vocabulary))


def leaves_with_values(condition: Condition) -> tuple[Leaf, ...]:
    """Leaves that require a certain value of the profile or a custom field, without duplicates. Perhaps nobody has that value.

    At most eight. None if the whole condition is always or never true.
    """
    if canonical(condition) in (ALWAYS, NEVER):
        return ()
    found = (leaf for leaf in leaves(condition) if _wants_a_value(leaf))
    return tuple(dict.fromkeys(found))[:_MOST_VALUES]


def nobody_has(leaf: Leaf, names: Names) -> str:
    """The sentence that one of those leaves matches no one."""
    return f"There is nobody {leaf.summary(names)}."


def _wants_a_value(leaf: Leaf) -> bool:
    comparison = comparison_of(leaf)
    if comparison is None or comparison.operator not in _EQUALITIES:
        return False
    return all(read.source in ("profile", "field") for read in leaf.reads())


# ---- always and never


def _of_truth(condition: Condition, forms: Mapping[int, Form], names: Names) -> Iterator[str]:
    form = forms[id(condition)]
    if form == ALWAYS:
        yield "It is always true: it matches everyone."
    elif form == NEVER:
        yield "It is never true: it can match no one."
    else:
        for number, part in enumerate(_constant_parts(condition, forms)):
            if number == _MOST_PARTS:
                return
            truth = "always" if forms[id(part)] == ALWAYS else "never"
            yield f'A part of it is {truth} true: "{part.summary(names)}".'


def _constant_parts(condition: Condition, forms: Mapping[int, Form]) -> Iterator[Condition]:
    """The largest parts that are always or never true."""
    for child in condition.children:
        if forms[id(child)] in (ALWAYS, NEVER):
            yield child
        else:
            yield from _constant_parts(child, forms)


def _of_others(form: Form, others: Mapping[str, Condition]) -> Iterator[str]:
    equal = sorted(name for name, other in others.items() if canonical(other) == form)
    for name in equal[:_MOST_PARTS]:
        yield f'It means the same as the segment "{name}".'


# ---- missing values


def _of_missing_values(condition: Condition, form: Form, names: Names) -> Iterator[str]:
    by_subject: dict[str, list[tuple[Leaf, Comparison, bool]]] = {}
    for leaf, holds in _with_signs(condition, holds=True):
        comparison = comparison_of(leaf)
        if comparison is not None and comparison.may_be_missing:
            by_subject.setdefault(comparison.subject, []).append((leaf, comparison, holds))
    for subject, compared in list(by_subject.items())[:_MOST_NAMED]:
        if any(comparison.operator == "isSet" for _, comparison, _ in compared):
            continue  # the author has thought of missing values
        yield from _of_missing_value(compared, names, without(form, subject) == NEVER)


def _of_missing_value(
    compared: list[tuple[Leaf, Comparison, bool]], names: Names, are_left_out: bool
) -> Iterator[str]:
    who = _who_lacks(compared[0][1])
    demanding = [leaf for leaf, comparison, holds in compared if holds and _is_surprising(comparison)]
    if demanding and are_left_out:
        yield f"{who} are left out."
    elif demanding:
        yield f'{who} are left out where it says "{demanding[0].summary(names)}".'
    elif not are_left_out and any(not holds for _, _, holds in compared):
        yield f"{who} are not left out."


def _is_surprising(comparison: Comparison) -> bool:
    return comparison.operator in NEGATIVE or comparison.kind in _SURPRISING


def _who_lacks(comparison: Comparison) -> str:
    if comparison.kind == "field":
        return f'People without a value in the field "{comparison.name}"'
    if comparison.name is not None:
        return f'People without any such event "{comparison.name}"'
    label = _COMES_FROM.get(comparison.kind) or kinds()[comparison.kind].label
    return f"People without {'an' if label[0] in 'aeiou' else 'a'} {label}"


def _with_signs(condition: Condition, *, holds: bool) -> Iterator[tuple[Leaf, bool]]:
    """Every leaf, and whether it must hold. It must not hold below an odd number of negations."""
    if isinstance(condition, Leaf):
        yield condition, holds
    for child in condition.children:
        yield from _with_signs(child, holds=holds is not isinstance(condition, Not))


# ---- the clock


def _of_the_clock(condition: Condition, names: Names, vocabulary: Vocabulary) -> Iterator[str]:
    """For each `later` whose inner condition the passing of time never changes."""
    if condition.lead and not any(_follows_the_clock(leaf, vocabulary) for leaf in leaves(condition)):
        yield f'Time alone never changes the condition inside later: "{condition.children[0].summary(names)}".'
        return
    for child in condition.children:
        yield from _of_the_clock(child, names, vocabulary)


def _follows_the_clock(leaf: Leaf, vocabulary: Vocabulary) -> bool:
    """Whether time may change its verdict. A segment may, and an event may, because it can be recorded for the future."""
    return bool(leaf.edges(vocabulary)) or any(read.source in ("segment", "event") for read in leaf.reads())


# ---- events


def _of_event_names(condition: Condition, vocabulary: Vocabulary) -> Iterator[str]:
    read = {str(read.ref) for leaf in leaves(condition) for read in leaf.reads() if read.source == "event"}
    for name in sorted(read - vocabulary.event_names.keys())[:_MOST_NAMED]:
        yield f'No event called "{name}" is known yet.'
