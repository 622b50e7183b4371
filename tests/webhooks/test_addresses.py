"""Every range of IANA's special-purpose registries, by its first and its last address, and the public addresses beside them.

The registries: iana-ipv4-special-registry, iana-ipv6-special-registry and the multicast and unicast assignments (read in November 2026).
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from audience_gql.webhooks.addresses import is_open

NOT_PUBLIC = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private use",
    "100.64.0.0/10": "shared address space of carriers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link local, with the metadata services of clouds",
    "172.16.0.0/12": "private use",
    "192.0.0.0/24": "IETF protocol assignments, with DS-Lite, PCP, TURN and NAT64 discovery",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "relays of 6to4",
    "192.168.0.0/16": "private use",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, with the broadcast address",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::ffff:0:0:0/96": "IPv4-translated",
    "64:ff9b:1::/48": "NAT64 for local use",
    "100::/64": "discard only",
    "100:0:0:1::/64": "dummy prefix",
    "200::/7": "not allocated",
    "400::/6": "not allocated",
    "800::/5": "not allocated",
    "1000::/4": "not allocated",
    "2001::/32": "Teredo",
    "2001:1::1/128": "port control anycast",
    "2001:1::2/128": "TURN anycast",
    "2001:1::3/128": "DNS-SD anycast",
    "2001:2::/48": "benchmarks",
    "2001:3::/32": "AMT",
    "2001:4:112::/48": "AS112",
    "2001:10::/28": "ORCHID",
    "2001:20::/28": "ORCHIDv2",
    "2001:30::/28": "drone remote ids",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "4000::/2": "not allocated",
    "5f00::/16": "segment routing",
    "8000::/1": "not allocated, unique local, link local and multicast",
    "fc00::/7": "unique local",
    "fe80::/10": "link local",
    "fec0::/10": "site local",
    "ff00::/8": "multicast",
}
INSIDE = {  # how IPv6 carries an IPv4 address; {} is the address as two groups
    "::{}": "IPv4-compatible",
    "::ffff:{}": "IPv4-mapped",
    "::ffff:0:{}": "IPv4-translated",
    "64:ff9b::{}": "NAT64",
    "64:ff9b:1:abcd::{}": "NAT64 for local use",
    "2002:{}::1": "6to4",
    "2001:0:{}::1": "Teredo's server",
    "2a00:1450:4001:80b:0:5efe:{}": "ISATAP",
    "2a00:1450:4001:80b:200:5efe:{}": "ISATAP of a public address",
}
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *(
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
    ),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2001:200::1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2620:4f:8000::1", "3ffe:ffff::1"),
]
PRIVATE_V4 = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "224.0.0.1"]
PUBLIC_V4 = "8.8.8.8"


def inside(form: str, v4: str) -> str:
    number = int(ip_address(v4))
    return form.format(f"{number >> 16:x}:{number & 0xFFFF:x}")


@pytest.mark.parametrize("network", NOT_PUBLIC)
def test_a_special_range_is_not_public(network):
    whole = ip_network(network)

    found = [it for it in (whole[0], whole[whole.num_addresses // 2], whole[-1]) if is_open(it, ())]

    assert found == []


@pytest.mark.parametrize("text", PUBLIC)
def test_other_addresses_are_public(text):
    assert is_open(ip_address(text), ())


@pytest.mark.parametrize("form", INSIDE)
@pytest.mark.parametrize("v4", PRIVATE_V4)
def test_an_address_that_leads_to_a_private_one_is_not_public(form, v4):
    assert not is_open(ip_address(inside(form, v4)), ())


@pytest.mark.parametrize("form", INSIDE)
@pytest.mark.parametrize("v4", PRIVATE_V4)
def test_an_open_ipv6_network_does_not_open_the_ipv4_addresses_inside(form, v4):
    address = ip_address(inside(form, v4))

    assert not is_open(address, [ip_network("::/0")])


def test_teredo_hides_the_client_by_inverting_it():
    client = ~int(ip_address("10.0.0.1")) & 0xFFFFFFFF
    address = ip_address(int(ip_address(inside("2001:0:{}::", PUBLIC_V4))) | client)

    assert not is_open(address, [ip_network("2001::/32")])
    assert is_open(address, [ip_network("2001::/32"), ip_network("10.0.0.0/8")])


@pytest.mark.parametrize("form", ["::ffff:{}", "64:ff9b::{}", "2a00:1450:4001:80b:0:5efe:{}"])
def test_an_address_that_leads_to_a_public_one_is_public(form):
    assert is_open(ip_address(inside(form, PUBLIC_V4)), ())


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("::1", "::1/128"),
        ("fd00::1", "fd00::/8"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("64:ff9b::10.1.2.3", "10.0.0.0/8"),
    ],
)
def test_a_network_of_the_configuration_is_open(text, network):
    assert is_open(ip_address(text), [ip_network(network)])
    assert not is_open(ip_address(text), [ip_network("172.16.0.0/12"), ip_network("fe80::/10")])
