"""The handbook's first chapter: the rules that hold for every kind of condition, with the limits from the code.

It must not describe a single kind; each kind's own file does that.
"""

from __future__ import annotations

from typing import Final

from audience_gql.conditions.limits import (
    FIRST_YEAR,
    LAST_YEAR,
    LEAST_STEPS,
    MAX_ALTERNATIVES,
    MAX_DEPTH,
    MAX_LEAVES,
    MAX_PROBLEMS,
    MAX_PROPERTY_FILTERS,
    MAX_STEPS,
    MAX_TEXT,
    MAX_VALUES,
    MAX_WILDCARDS,
    MAX_WINDOW,
)

SEMANTICS: Final = f"""\
A condition says which people match. It is one tree, `ConditionInput`: combinators (`all`, `any`, `not`) contain further conditions, and leaves look at facts
about a person. The same tree defines a segment, filters a list of people and counts a preview. The API returns it in the shape in which it was sent.

SQL always decides who is a member. A second evaluation, in Python, explains verdicts and tests the SQL. The two must agree on everything below.

## Truth
- A condition is true or false, never unknown. A comparison with a missing value is false.
- Negative operators (`isNot`, `notIn`, `notContains`, `ne`, `hasNone`) mean *there is a value, and it is a different one*. `not` is the plain complement:
  `{{not: {{country: {{is: "LT"}}}}}}` includes people without a country, and `{{country: {{isNot: "LT"}}}}` does not.
- An empty `all` matches everyone, and an empty `any` matches no one. A whole segment may be `all: []`. Further down, an empty list is refused.
- All requirements of one leaf about an event (count, window, properties) apply to the same events. `joined`, `entered` and `changed` apply to the
  same group, segment or channel that the leaf names.

## Missing values
- An empty text is a missing value.
- Without any value, a sum and a count of different values are 0, and an average, a minimum and a maximum are missing. Values that are not numbers are skipped.
- Without the event, `lastEvent` and `firstEvent` are missing, so their `notInLast` requires at least one event. To say *never, or long ago*, write
  `{{not: {{lastEvent: {{name: …, at: {{inLast: …}}}}}}}}`.
- For a list, `isSet` asks whether the field has a value, and `isEmpty` asks whether that value has no items.
- A condition may name an event that was never tracked. Nobody has such an event until the first one arrives.

## Text
Comparisons ignore upper and lower case. They compare Unicode NFC with case folded as Python's `casefold` does: `STRASSE` equals `Straße`, and `ΟΔΟΣ` equals
`οδος`. `contains`, `startsWith` and `endsWith` take every character literally. Event names and the keys of fields and
properties must match exactly. Stored texts of people have no blanks around them, so `is`, `isNot`, `in`, `notIn`, `isExactly`, `inExactly` and the filters of
lists ignore blanks around their values. Texts in the properties of events keep their blanks.

`matches` compares the whole text with a pattern. `*` stands for any characters, also for none, `?` for exactly one, and `|` separates alternatives: `A-*|B-????`.
A backslash makes one of these, or another backslash, literal. `?` is one character of the folded text: `ß` folds to `ss`, which is two. Patterns are not regular expressions,
so no pattern can stall the database: the time is at most the product of the lengths of pattern and text. On PostgreSQL 18, the most expensive pattern that was found takes three
milliseconds for a text of 1,000 characters. No index helps, as with `contains`.

`isExactly` and `inExactly` compare texts as they are stored, character by character, for ids that differ only in case. An `é` of one character and an `é` of two
are different there. `country` is stored in upper case.

Email addresses follow the rules of mail: they ignore upper and lower case, but `ß` is not `ss`, and a domain in Unicode equals its `xn--` form. In a value, the text
after the last `@` is a domain. The whole value of `endsWith` is one if it has no `@`. `contains` and `startsWith` see the domain in Unicode, and do not find
parts of an `xn--` label. In a pattern of `matches`, the text before the first wildcard and the text between two wildcards are read like a value of `contains`, and the text
after the last wildcard like a value of `endsWith`. All operators that compare the whole text, except `matches`, treat an old name of a time zone as its present name.

## Numbers
Numbers are exact decimals, read by their shortest form: 0.1 is one tenth, and 0.1 + 0.2 is 0.3. A number that is not exactly a double, such as
9007199254740993, is refused. Averages are compared without a division, so nothing is rounded.

## Locations
- A location is the latitude and longitude of the profile, in decimal degrees. A person has both or neither.
- `near` measures along a great circle of a sphere with the earth's mean radius, 6,371.0088 km. Compared with the WGS 84 ellipsoid, such a distance is less than 0.57 % too
  long (along a meridian near the equator) and less than 0.45 % too short (near the poles). Exactly the given distance is near. No index helps; for each person it costs a little more than comparing a text.
- A box of `within` includes its edges. If `west` is greater than `east`, it crosses the meridian of 180 degrees, which -180 and 180 both mean. At a pole, the stored longitude still counts.
- A location changes only when somebody writes it, so the clock never moves anybody in or out. Klaviyo offers a radius around a postal code, in some countries; here, any point on the earth can be the
  center, and a person who moves enters or leaves at once.

## Time
- One evaluation has one instant, `now`. All leaves use it.
- A rolling window of length W is `(now - W, now]`: an event at 12:00:00 leaves *the last hour* at exactly 13:00:00. `olderThan W` and `notInLast W` mean at or
  before `now - W`, `ago` from A to B is `(now - A, now - B]`, and `inNext W` is `(now, now + W]`. Lengths are fixed: a day has 24 hours.
- `before` and `after` are strict. `between` includes both ends for numbers and dates, but only the first end for instants.
- Dates, birthdays and ages use calendar days in the person's time zone, or in the workspace's if the person has none. A day begins at its first instant there.
  `inLast n` is after `today - n` and up to today. `inNext n` is from today on and before `today + n`. An anniversary is a later day with the same month and
  day. In years without 29 February, its anniversary is 1 March. A date is not its own anniversary, so the first anniversary comes one year after it.
- A calendar window (`calendar`, and `calendarDays` or `calendarMonths` of `last`) consists of whole days where the person lives, up to now or to the end of a past
  period. `last: {{calendarDays: n}}` is today and the n - 1 days before it. Weeks begin on the day that the workspace chose: Monday unless it chose Saturday or Sunday. A
  person who moves to another zone takes their events along: the events count on the days of the new zone.
- `onDays`, `inWeeks` and `inMonths` count the different days, weeks or months of the same calendar in which at least one of the events happened.
- Calendar windows and regularity cost two more index probes for one person. For a range of people, a calendar window costs little more than a rolling window of its length, and
  regularity takes about three times as long as a bare count. At the beginning of a period, the people with an event in the period that ends are evaluated, zone by zone.
- Events may arrive late, repeatedly and in any order. `occurredAt` says when an event happened, and `key` makes it count once. A future event counts from its
  instant on.
- A membership can change without a new fact: it follows the clock, at the exact instant.

## Looking ahead
- `later` evaluates its inner condition at an instant after `now`, with the facts of now: only the clock has moved on. A fact that is recorded for the future counts from its instant on. Calendar days
  are those of that instant where the person lives. Inside another `later`, the lengths add up, to at most ten years.
- *Leaves within 3 days* is the condition and not the condition 3 days later. For a segment, `leavesWithin` and `entersWithin` say the same in one word. They look at that one instant: somebody who leaves and
  comes back before it does not leave.
- For `entered` at a later instant, a member of now has their stored instant, and everybody else enters at the instant that is evaluated.
- It is not a forecast of what people will do. It says exactly what follows from the facts if nobody does anything, so everybody to whom nothing happens leaves at the predicted instant. Scores such as the
  churn risk of Klaviyo estimate behaviour with a model, which is another question.
- The cost is that of the inner condition, once more for each different length. Events of one name are read once for each length.

## One event after another
- Every step of `eventSequence` is strictly later than the step before: two events of the same instant are not in order. Other events may happen between them. `within` of a
  step includes its end: exactly 7 days later is within 7 days. The window of the sequence must contain all steps.
- `notFollowedBy` forbids a follower at or after the followed event, so an order at the same instant as the cart is a follower. It looks at the last step of a sequence, and
  at the event that `lastEvent` or `firstEvent` picks. If a sequence can be made of several chains of events, one chain that is not followed is enough.
- With `within`, only followers up to that long after the event count, this instant included. The condition holds from exactly that instant on, because nobody knows the answer
  before. An event that arrives late but happened in that time still ends the membership.
- `sameProperty` and `perProperty` compare the values of a property as the function `DISTINCT` of `eventTotal` does: numbers by value, texts without upper and lower case. Events without
  the property do not count. `notFollowedBy: {{sameProperty: "cart"}}` picks one event for each cart, and one cart that is not followed is enough. `perProperty` counts the events for each
  value and takes the largest count, which is 0 without an event.
- The cost is that of sorting a person's events of these names once, however many chains they form. On a shared core, five steps over 2,000 events of one person take 6 to 35 milliseconds. A
  window makes the range of the index shorter. Without one, all events of these names are read whenever one of them arrives.
- In Klaviyo and Braze, people wait in a flow or a Canvas to find out what they did not do after an event. Here it is a condition of a segment, and late events correct it.

## Limits
A sequence has {LEAST_STEPS} to {MAX_STEPS} steps. A condition has at most {MAX_DEPTH} levels and {MAX_LEAVES} leaves. A list has at most {MAX_VALUES:,} values, a `where` {MAX_PROPERTY_FILTERS} property filters, a text {MAX_TEXT:,}
characters, a pattern {MAX_ALTERNATIVES} alternatives and {MAX_WILDCARDS} of `*` and `?`, and a window {MAX_WINDOW.days:,} days. Dates are in the years {FIRST_YEAR} to {LAST_YEAR}. U+0000, unpaired surrogates, NaN and infinities are refused.
A refusal lists all problems at once (up to {MAX_PROBLEMS}), each with its path.
"""
