"""A batch equals its items applied one after the other, each in a call of its own, wherever batches end."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from audience_gql.audience.failures import Issue
from audience_gql.audience.people import working_copy
from audience_gql.audience.people.events import _Ingest
from audience_gql.audience.people.profiles import identity
from audience_gql.audience.people.working_copy import WorkingCopy
from tests.audience.one_by_one import NAMES, disagreements

IS_LONG = bool(os.environ.get("AUDIENCE_FUZZ_LONG"))
SEED = int(os.environ.get("AUDIENCE_FUZZ_SEED", "20260331"))
CASES, PARTS = (2_000, 10) if IS_LONG else (100, 1)


@pytest.fixture(autouse=True)
def few_names(monkeypatch):
    monkeypatch.setattr("audience_gql.audience.people.events.NAMES_PER_WORKSPACE", NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
async def test_a_batch_equals_its_items_one_by_one(database, clock, part):
    seen: Counter[str] = Counter()

    found = await disagreements(database, clock, seed=SEED + part, cases=CASES, seen=seen)

    print(f"seed {SEED + part}, {CASES} cases: {dict(seen)}")
    assert found == []


# ---- bugs that a batch invites, planted: all are found


def freed_keys_stay(monkeypatch) -> None:
    honest = WorkingCopy._free

    def free(copy, key, owner):
        before = dict(copy._owners)
        honest(copy, key, owner)
        copy._owners = before

    monkeypatch.setattr(WorkingCopy, "_free", free)


def owners_are_those_before_the_batch(monkeypatch) -> None:
    honest = WorkingCopy._named

    def named(copy, patch, keys):
        now, copy._owners = copy._owners, {**copy._owners, **copy._owners_before}
        found = honest(copy, patch, keys)
        copy._owners = now
        return {kind: owner for kind, owner in found.items() if owner is not None}

    monkeypatch.setattr(WorkingCopy, "_named", named)


def a_refused_item_claims_its_keys(monkeypatch) -> None:
    honest = WorkingCopy.apply

    def apply(copy, patch, path):
        outcome = honest(copy, patch, path)
        if isinstance(outcome, Issue) and outcome.people:
            for kind, value in patch.keys.items():
                if identity(kind, value) not in copy._owners:
                    copy._take(identity(kind, value), outcome.people[0])
        return outcome

    monkeypatch.setattr(WorkingCopy, "apply", apply)


def a_group_left_on_the_way_is_forgotten(monkeypatch) -> None:
    honest = working_copy._change_groups

    def change_groups(draft, patch):
        honest(draft, patch)
        draft.left -= draft.joined

    monkeypatch.setattr(working_copy, "_change_groups", change_groups)


def only_the_last_refusal_of_a_batch_counts(monkeypatch) -> None:
    honest = _Ingest._move_channels

    async def move_channels(ingest, bucket_id, refusals, now):
        return await honest(ingest, bucket_id, refusals[-1:], now)

    monkeypatch.setattr(_Ingest, "_move_channels", move_channels)


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant",
    [
        freed_keys_stay,
        owners_are_those_before_the_batch,
        a_refused_item_claims_its_keys,
        a_group_left_on_the_way_is_forgotten,
        only_the_last_refusal_of_a_batch_counts,
    ],
)
async def test_a_planted_bug_is_found(database, clock, monkeypatch, plant):
    plant(monkeypatch)

    found = await disagreements(database, clock, seed=SEED, cases=2_000)

    assert found
    print(f"{plant.__name__}: seed {SEED}, case {found[0].case}, {found[0].what}")
