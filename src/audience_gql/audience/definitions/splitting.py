"""Splits a segment at random into segments that together hold exactly its members, and recognises such segments.

Each share is a condition: in the whole, and with a ticket in its range. So a person keeps their share for as long as they are in the whole.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from audience_gql.audience.definitions.definition_limits import check_count
from audience_gql.audience.definitions.segments import Saving, get_segment, have_filled
from audience_gql.audience.failures import InvalidInput, Issue, Path
from audience_gql.audience.names import name_issues, name_taken
from audience_gql.audience.ports import Ports
from audience_gql.conditions.given_values import BadValue, given_number
from audience_gql.conditions.values import decimal_of, fold, number_of
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import Segment, Workspace
from audience_gql.storage.postgres.database import Transaction

LEAST_SHARES: Final = 2
MOST_SHARES: Final = 10
DECIMALS: Final = 6
"""How many decimals a given percentage may have. So every bound has few enough digits to be a double."""
_WHOLE: Final = Decimal(100)
_EQUAL_DECIMALS: Final = Decimal("1e-13")
"""Bounds of equal shares are rounded to this, which is finer than the tickets."""
_SALT_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareItem:
    """A share to make, as a caller gives it."""

    name: str
    percent: object = None
    """None in all items: the shares are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of a segment that a stored condition holds, in percent of all tickets."""

    whole_id: str
    salt: str
    low: Decimal
    high: Decimal


async def split_segment(
    *,
    ports: Ports,
    workspace: Workspace,
    segment_id: int | None,
    shares: Sequence[ShareItem],
    salt: str | None = None,
) -> list[Segment]:
    """Create a segment for each share, all of them or none. Without a salt, a random one is drawn. Raises NotFound, InvalidInput, NameTaken."""
    bounds = _bounds(shares)
    drawn_with = secrets.token_hex(_SALT_BYTES) if salt is None else salt

    async def work(transaction: Transaction) -> list[Segment]:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        whole = await get_segment(workspace, segment_id, ("segment_id",))
        await _check_names_free(workspace, shares)
        saving = await Saving.begin(ports, workspace, connection)
        check_count(len(saving.conditions) + len(shares))
        made = []
        for share, (low, high) in zip(shares, pairwise(bounds), strict=True):
            sample = {"from": number_of(low), "to": number_of(high), "salt": drawn_with}
            condition = {"all": [{"segment": {"anyOf": [str(whole.id)]}}, {"sample": sample}]}
            try:
                tree = saving.parse(condition, PLAIN_IDS, [])
                made.append(
                    await saving.create(name=share.name, description=None, tree=tree, transaction=transaction)
                )
            except InvalidInput as invalid:
                raise InvalidInput(tuple(_told(issue) for issue in invalid.issues)) from invalid
        await have_filled(ports, transaction, [segment.id for segment in made])
        return made

    return await ports.database.run(work)


def part_of(segment: Segment) -> Part | None:
    """Which part of another segment this one holds; None if its condition is not that of a share."""
    match segment.condition:
        case {
            "all": [
                {"segment": {"anyOf": [str(whole_id)], **others}},
                {"sample": {"from": low, "to": high, "salt": str(salt)}},
            ]
        } if not others:
            return Part(whole_id=whole_id, salt=salt, low=decimal_of(low), high=decimal_of(high))
    return None


def share_of_first(first: Segment, second: Segment) -> float | None:
    """The share of the people of two segments that the first one should have; None unless they are disjoint parts of one split."""
    a, b = part_of(first), part_of(second)
    if a is None or b is None or (a.whole_id, a.salt) != (b.whole_id, b.salt):
        return None
    if a.low < b.high and b.low < a.high:
        return None
    return float((a.high - a.low) / (a.high - a.low + b.high - b.low))


def _bounds(shares: Sequence[ShareItem]) -> list[Decimal]:
    """The bounds of the shares in percent, from 0 to 100, each used by two neighbours. Raises InvalidInput with all problems of the shares."""
    if not LEAST_SHARES <= len(shares) <= MOST_SHARES:
        message = f"takes {LEAST_SHARES} to {MOST_SHARES} shares, not {len(shares)}"
        raise InvalidInput((Issue(code="OUT_OF_RANGE", message=message, path=("shares",)),))
    issues = list(_name_issues(shares))
    given = [share.percent for share in shares]
    if all(percent is None for percent in given):
        bounds = [(_WHOLE * n / len(shares)).quantize(_EQUAL_DECIMALS) for n in range(len(shares) + 1)]
    else:
        percents = [_percent(percent, ("shares", n, "percent"), issues) for n, percent in enumerate(given)]
        bounds = [sum(percents[:n], Decimal(0)) for n in range(len(percents) + 1)]
        if not issues and bounds[-1] != _WHOLE:
            message = f"the percentages must add up to 100, not {bounds[-1].normalize():f}"
            issues.append(Issue(code="CONFLICT", message=message, path=("shares",)))
    if issues:
        raise InvalidInput(tuple(issues))
    return bounds


def _percent(percent: object, path: Path, issues: list[Issue]) -> Decimal:
    if percent is None:
        message = "give a percentage to each share, or to none for equal shares"
        issues.append(Issue(code="REQUIRED", message=message, path=path))
        return _WHOLE
    try:
        number = given_number(percent)
    except BadValue as error:
        issues.append(Issue(code=error.code, message=error.message, path=path))
        return _WHOLE
    if not 0 < number < _WHOLE or number != round(number, DECIMALS):
        message = f"must be more than 0 and less than 100, with at most {DECIMALS} decimals"
        issues.append(Issue(code="OUT_OF_RANGE", message=message, path=path))
    return number


def _name_issues(shares: Sequence[ShareItem]) -> list[Issue]:
    issues: list[Issue] = []
    seen: set[str] = set()
    for number, share in enumerate(shares):
        found = name_issues(share.name)
        folded = fold(share.name.strip())
        if not found and folded in seen:
            found = [Issue(code="CONFLICT", message="an earlier share has the same name", path=("name",))]
        seen.add(folded)
        issues += [replace(issue, path=("shares", number, *issue.path)) for issue in found]
    return issues


async def _check_names_free(workspace: Workspace, shares: Sequence[ShareItem]) -> None:
    """Raise NameTaken for the first name that a segment has. The workspace is locked, so no name can be taken after this."""
    folded = [fold(share.name.strip()) for share in shares]
    taken = {
        segment.name_folded
        for segment in await Segment.filter(workspace_id=workspace.id, name_folded__in=folded)
    }
    for number, share in enumerate(shares):
        if folded[number] in taken:
            raise name_taken("segment", share.name, ("shares", number, "name"))


def _told(issue: Issue) -> Issue:
    """A problem of a share's condition, at the place in the input that it comes from."""
    return replace(issue, path=("salt",) if "salt" in issue.path else ("segment_id",))
