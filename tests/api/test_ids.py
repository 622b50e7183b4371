"""Opaque ids have one spelling each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audience_gql.api import ids
from audience_gql.api.ids import Kind
from audience_gql.storage.log import LoggedChange

LARGEST = 2**63 - 1
ODD_INSTANT = datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=UTC)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 1000, 2**31, LARGEST])
def test_a_number_comes_back(number):
    text = ids.encode(Kind.GROUP, number)

    assert ids.number_of(Kind.GROUP, text) == number


@pytest.mark.parametrize("owner", [(1, 2), (1000, 2**62 - 1), (LARGEST, LARGEST)])
def test_a_person_comes_back(owner):
    assert ids.owner_of(ids.subscriber_id(owner)) == owner


def test_an_event_comes_back_with_its_instant_to_the_microsecond():
    key = (1, 2, 3, ODD_INSTANT, 4)

    assert ids.event_key_of(ids.event_id(key)) == key


def test_a_change_comes_back():
    change = LoggedChange(
        bucket_id=9,
        sequence=10,
        list_kind="GROUP",
        list_id=1,
        subscriber_id=2,
        entered=True,
        cause="MANUAL",
        revision=None,
        occurred_at=ODD_INSTANT,
    )

    assert ids.change_key_of(ids.id_of(change)) == (9, 10)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "_",
        "grp",
        "grp_",
        "grp_=",
        "grp_!!",
        "grp_AQ==",  # padded
        "grp_AR",  # bits left over
        "grp_gQA",  # 1 in two bytes
        "grp_gA",  # cut off
        "grp_AQI",  # two numbers
        "GRP_AQ",
        "seg_AQ",
        "AQ",
        "1",
        "grp_" + "_" * 14,  # larger than a bigint
        "grp_AQ\0",
        "grp_АQ",  # noqa: RUF001  # a Cyrillic letter
        " grp_AQ",
        "grp_AQ\n",
    ],
)
def test_anything_else_is_no_id(text):
    assert ids.number_of(Kind.GROUP, "grp_AQ") == 1
    assert ids.number_of(Kind.GROUP, text) is None


def test_an_instant_beyond_the_calendar_is_no_event():
    beyond = (datetime.max - datetime.min) // timedelta(microseconds=1) * 2

    assert ids.event_key_of(ids.encode(Kind.EVENT, 1, 2, 3, beyond, 4)) is None


def test_kinds_are_told_by_their_word():
    assert ids.kind_of("sub_AQI") is Kind.SUBSCRIBER
    assert ids.kind_of("nobody_AQ") is None
    assert len({kind.value for kind in Kind}) == len(Kind)


def test_conditions_write_ids_like_everybody_else():
    text = ids.OPAQUE_IDS.encode("segment", 7)

    assert text == ids.encode(Kind.SEGMENT, 7)
    assert ids.OPAQUE_IDS.decode("segment", text) == 7
    assert ids.OPAQUE_IDS.decode("group", text) is None
