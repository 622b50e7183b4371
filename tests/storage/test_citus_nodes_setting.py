"""The setting that says how workers reach the machines of a Citus cluster."""

from __future__ import annotations

import pytest

from audience_gql.config import MalformedSetting, settings_from_environment

SERVERS = {"DATABASE_URL": "given", "REDIS_URL": "given"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", {}),
        ("off", None),
        (
            "worker-1:5432=10.0.0.5:5433, [fd00::1]:5432=localhost:6000",
            {"worker-1:5432": "10.0.0.5:5433", "[fd00::1]:5432": "localhost:6000"},
        ),
    ],
)
def test_addresses_of_machines(value, expected):
    assert settings_from_environment(SERVERS | {"AUDIENCE_CITUS_NODES": value}).citus_nodes == expected


@pytest.mark.parametrize(
    "value", ["on", "worker-1=10.0.0.5", "worker-1:5432", "worker-1:5432=:5432", "a:1=b:70000"]
)
def test_other_values_are_refused(value):
    with pytest.raises(MalformedSetting, match="AUDIENCE_CITUS_NODES"):
        settings_from_environment(SERVERS | {"AUDIENCE_CITUS_NODES": value})
