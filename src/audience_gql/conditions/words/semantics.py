"""What holds for every kind of condition: the handbook's first chapter, with the limits that the code has.

Prose only; what one kind means, its own file says.
"""

from __future__ import annotations

from typing import Final

from audience_gql.conditions.limits import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_DEPTH,
    MAX_LEAVES,
    MAX_PROBLEMS,
    MAX_PROPERTY_FILTERS,
    MAX_TEXT,
    MAX_VALUES,
    MAX_WINDOW,
)

SEMANTICS: Final = f"""\
A condition says whom to match. It is one tree, `ConditionInput`: combinators (`all`, `any`, `not`) hold further conditions, leaves look at facts. The same
tree defines a segment, filters a list of people and counts a preview, and is given back in the shape in which it was sent.

SQL decides who is a member, wherever that is asked. A second evaluation in Python exists to explain and to test the SQL against; the two must
agree on everything below.

## Truth
- There are two truth values. A comparison with something missing is false.
- Negative operators (`isNot`, `notIn`, `notContains`, `ne`, `hasNone`) mean *there is a value, and it is another one*. `not` is the plain complement, so
  `{{not: {{country: {{is: "LT"}}}}}}` includes people without a country, and `{{country: {{isNot: "LT"}}}}` does not.
- `all` of nothing is everyone, `any` of nothing is no one. A segment may be `all: []` as a whole; deeper, an empty list is refused.
- All that one leaf asks about an event (count, window, properties) is asked of the same events. `joined`, `entered` and `changed` are about the
  very group, segment or channel that they stand beside.

## Missing values
- Empty text is no text.
- Without any number a sum, or a count of different values, is 0; an average, a least and a greatest are missing. What is not a number is left out.
- Without the event, `lastEvent` and `firstEvent` are missing, so `notInLast` there wants at least one event. *Never, or long ago* is
  `{{not: {{lastEvent: {{name: …, at: {{inLast: …}}}}}}}}`.
- For a list, `isSet` asks whether the field has a value, `isEmpty` whether that value holds nothing.
- An event of a name that was never tracked is nobody's: such a condition is accepted, and matches once there is one.

## Text
Texts are compared in Unicode's NFC with case folded, as Python's `casefold` does it: `STRASSE` is `Straße`, `ΟΔΟΣ` is `οδος`. Stored texts
of people have no blanks around them, so `is`, `isNot`, `in`, `notIn` and the filters of lists ignore blanks around their values, too. The texts of events' properties are compared as they are. `contains`, `startsWith`
and `endsWith` take every character literally. There are no regular expressions. Event names and the keys of fields and properties are exact.

Email addresses are compared as mail compares them: case aside, letter by letter, so `ß` is not `ss`; a domain is the same in Unicode and in its `xn--` form. What follows
the last `@` of a value is a domain; without an `@`, the value of `endsWith` is one, and `contains` and `startsWith` see the domain in Unicode. A part of an `xn--` label
is not recognised. A time zone's old name is its present one in `is`, `isNot`, `in` and `notIn`.

## Numbers
Numbers are exact decimals, read by their shortest form: 0.1 is one tenth, and 0.1 + 0.2 is 0.3. A number that no double is exactly, such as 9007199254740993, is
refused. An average is compared without a division.

## Time
- One evaluation has one `now`, and every leaf sees that instant.
- A rolling window of length W is `(now - W, now]`: what happened at 12:00:00 leaves *the last hour* at exactly 13:00:00. `olderThan W` is at or before
  `now - W`, `ago` from A to B is `(now - A, now - B]`, `inNext W` is `(now, now + W]`, `notInLast W` is at or before `now - W`. Lengths are
  fixed: a day has 24 hours.
- `before` and `after` are strict. `between` includes both ends of numbers and dates; of times, the first only.
- Dates, birthdays and ages are about days on the calendar, in the person's own time zone or else the workspace's. A day turns at its first instant there.
  `inLast n` is after `today - n` up to today, `inNext n` from today up to but without `today + n`. An anniversary is a later day with the same month and day,
  of 29 February 1 March in other years: a date is not its own anniversary, and one of the future has none until a year after it.
- Events may arrive late, twice and in any order: `occurredAt` places them, `key` counts them once. One dated ahead counts from its instant on.
- No new fact is needed for a membership to change: it follows the clock, at the very instant.

## Limits
A condition has at most {MAX_DEPTH} levels and {MAX_LEAVES} leaves, a list of values {MAX_VALUES:,}, a `where` {MAX_PROPERTY_FILTERS} property filters, a text
{MAX_TEXT:,} characters, a window {MAX_WINDOW.days:,} days; dates lie in the years {FIRST_YEAR} to {LAST_YEAR}. U+0000, halves of surrogate pairs, NaN and
infinities are refused. Whatever is refused comes with its path, and all problems together (up to {MAX_PROBLEMS}).
"""
