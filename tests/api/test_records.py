"""Records carry the attributes of the models that they stand for, under the same names."""

from __future__ import annotations

import pytest

from audience_gql.conditions.profile import VECTOR_COLUMNS
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm import models
from audience_gql.storage.reads.records import COLUMNS, ChannelRecord, EventRecord, SubscriberRecord


@pytest.mark.parametrize(
    ("record", "model", "own"),
    [
        (SubscriberRecord, models.Subscriber, set()),
        (ChannelRecord, models.ChannelState, set()),
        (EventRecord, models.Event, {"name"}),
        (LoggedChange, models.MembershipChange, set()),
    ],
)
def test_a_record_has_the_attributes_of_its_model(record, model, own):
    names = set(COLUMNS.get(record) or record.__dataclass_fields__)

    assert names - own <= set(model._meta.fields_map)


def test_a_subscriber_leaves_out_only_what_no_reader_shows():
    left_out = set(models.Subscriber._meta.fields_map) - set(COLUMNS[SubscriberRecord])

    read_by_writers_and_conditions = {"email_changed_at", *VECTOR_COLUMNS}
    assert {name for name in left_out if not name.endswith("_folded")} == read_by_writers_and_conditions
