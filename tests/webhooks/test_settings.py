"""The settings that say where webhooks may go."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from audience_gql.config import MalformedSetting, settings_from_environment

SERVERS = {"DATABASE_URL": "given", "REDIS_URL": "given"}


def test_without_settings_webhooks_go_to_public_addresses_by_https():
    settings = settings_from_environment(SERVERS)

    assert settings.webhook_networks == ()
    assert settings.webhook_ports == {80, 443}
    assert not settings.is_webhook_http_allowed


def test_settings_open_networks_ports_and_http():
    settings = settings_from_environment(
        {
            **SERVERS,
            "AUDIENCE_WEBHOOK_NETWORKS": "10.0.0.0/8, fd00::/8,127.0.0.1",
            "AUDIENCE_WEBHOOK_PORTS": "8443, 9000",
            "AUDIENCE_WEBHOOK_HTTP": "1",
        }
    )

    assert settings.webhook_networks == tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")))
    assert settings.webhook_ports == {80, 443, 8443, 9000}
    assert settings.is_webhook_http_allowed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUDIENCE_WEBHOOK_NETWORKS", "10.0.0.1/8"),
        ("AUDIENCE_WEBHOOK_NETWORKS", "10.0.0.0/8 fd00::/8"),
        ("AUDIENCE_WEBHOOK_NETWORKS", "intranet.example"),
        ("AUDIENCE_WEBHOOK_PORTS", "0"),
        ("AUDIENCE_WEBHOOK_PORTS", "65536"),
        ("AUDIENCE_WEBHOOK_PORTS", "8000-9000"),
        ("AUDIENCE_WEBHOOK_HTTP", "yes"),
    ],
)
def test_a_malformed_setting_is_named(name, value):
    with pytest.raises(MalformedSetting, match=name):
        settings_from_environment({**SERVERS, name: value})


@pytest.mark.parametrize("name", ["NETWORKS", "PORTS", "HTTP"])
def test_an_empty_setting_is_none(name):
    empty = settings_from_environment({**SERVERS, f"AUDIENCE_WEBHOOK_{name}": ""})

    assert empty.webhook_networks == ()
    assert empty.webhook_ports == {80, 443}
    assert not empty.is_webhook_http_allowed
