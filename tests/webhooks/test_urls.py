"""Which URLs an endpoint may have: decided without any network."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from audience_gql.webhooks.guard import Policy, check_url, read_url

DEFAULT = Policy()
WIDE = Policy(networks=(ip_network("10.0.0.0/8"),), ports=frozenset({80, 443, 8443}), is_http_allowed=True)

REFUSED = {
    "": "does not begin with https://",
    "hooks.example.com": "does not begin with https://",
    "//hooks.example.com/": "does not begin with https://",
    "ftp://hooks.example.com/": "does not begin with https://",
    "file:///etc/passwd": "does not begin with https://",
    "gopher://hooks.example.com/": "does not begin with https://",
    "https:hooks.example.com": "does not begin with https://",
    "https:/hooks.example.com": "does not begin with https://",
    "http://hooks.example.com/": "sends webhooks by https:// only",
    f"https://hooks.example.com/{'a' * 2_000}": "more than 2,000 characters",
    "https:///path": "host or the port",
    "https://?query": "host or the port",
    "https://:443/": "host or the port",
    "https://hooks.example.com:": "host or the port",
    "https://hooks.example.com:port/": "host or the port",
    "https://hooks.example.com:+443/": "host or the port",
    "https://hooks.example.com:443:443/": "host or the port",
    "https://[::1/": "host or the port",
    "https://::1/": "host or the port",
    "https://[2606:4700::1]x/": "host or the port",
    "https://x[2606:4700::1]/": "host or the port",
    # ports
    "https://hooks.example.com:22/": "port 22. Allowed ports are 80, 443",
    "https://hooks.example.com:0/": "port 0",
    "https://hooks.example.com:99999/": "port 99999",
    # user info, and what other parsers take for it
    "https://user@hooks.example.com/": "user name or a password",
    "https://user:password@hooks.example.com/": "user name or a password",
    "https://hooks.example.com:443@127.0.0.1/": "user name or a password",
    "https://@hooks.example.com/": "user name or a password",
    "https://hooks.example.com\\@127.0.0.1/": "backslash",
    "https:\\\\127.0.0.1/": "backslash",
    # characters
    " https://hooks.example.com/": "a space",
    "https://hooks.example.com/a b": "a space",
    "https://hooks.example.com/\r\nHost: other": "control character",
    "https://hooks.exam\tple.com/": "control character",
    "https://hooks.example.com/\x00": "control character",
    "https://hooks.example.com/caf\u00e9": "percent-encoded",
    "https://hooks.example.com/?q=\u2603": "percent-encoded",
    "https://%31%32%37.0.0.1/": "four decimal numbers",
    "https://%6cocalhost/": "not a valid name",
    "https://hooks..example.com/": "not a valid name",
    "https://.example.com/": "not a valid name",
    "https://hooks.example.com../": "not a valid name",
    "https://./": "not a valid name",
    "https://exa*mple.com/": "not a valid name",
    f"https://{'a' * 64}.example.com/": "not a valid name",
    f"https://{'a.' * 126}example/": "not a valid name",
    "https://ex\u2603\ufffd.com/": "not a valid name",
    # addresses
    "https://127.0.0.1/": "127.0.0.1, which is not a public address",
    "https://127.0.0.1./": "127.0.0.1, which is not a public address",
    "https://169.254.169.254/latest/meta-data": "169.254.169.254, which is not a public address",
    "https://\uff11\uff12\uff17.0.0.1/": "127.0.0.1, which is not a public address",
    "https://\u2460\u2461\u2466\u30020\u30020\u30021/": "127.0.0.1, which is not a public address",
    "https://[::1]/": "::1, which is not a public address",
    "https://[::]/": "::, which is not a public address",
    "https://[::ffff:127.0.0.1]/": "which is not a public address",
    "https://[64:ff9b::7f00:1]/": "64:ff9b::7f00:1, which is not a public address",
    "https://[2002:7f00:1::]/": "2002:7f00:1::, which is not a public address",
    # odd spellings of 127.0.0.1
    "https://2130706433/": "four decimal numbers",
    "https://017700000001/": "four decimal numbers",
    "https://0x7f000001/": "four decimal numbers",
    "https://0X7F.1/": "four decimal numbers",
    "https://127.1/": "four decimal numbers",
    "https://127.0.1/": "four decimal numbers",
    "https://0177.0.0.1/": "four decimal numbers",
    "https://0x7f.0.0.1/": "four decimal numbers",
    "https://127.0.0.0x1/": "four decimal numbers",
    "https://127.0.0.01/": "four decimal numbers",
    "https://0/": "four decimal numbers",
    "https://0x/": "four decimal numbers",
    "https://1.2.3.4.5/": "four decimal numbers",
    "https://256.0.0.1/": "four decimal numbers",
    # IPv6
    "https://[fe80::1%eth0]/": "a zone",
    "https://[fe80::1%25eth0]/": "a zone",
    "https://[2606:4700::1%1]/": "a zone",
    "https://[]/": "valid IPv6 address",
    "https://[127.0.0.1]/": "valid IPv6 address",
    "https://[v1.x]/": "valid IPv6 address",
    "https://[1::2::3]/": "valid IPv6 address",
}
ALLOWED = {  # what the request says: its host, its port, and its path with the query
    "https://hooks.example.com": ("hooks.example.com", 443, "/"),
    "HTTPS://Hooks.EXAMPLE.com/A": ("hooks.example.com", 443, "/A"),
    "https://hooks.example.com./": ("hooks.example.com", 443, "/"),
    "https://hooks.example.com:443/": ("hooks.example.com", 443, "/"),
    "https://hooks.example.com:80/": ("hooks.example.com:80", 80, "/"),
    "https://hooks.example.com?a=1": ("hooks.example.com", 443, "/?a=1"),
    "https://hooks.example.com/a/../b?c=d?e#f?g": ("hooks.example.com", 443, "/a/../b?c=d?e"),
    "https://hooks.example.com#@127.0.0.1/": ("hooks.example.com", 443, "/"),
    "https://hooks.example.com/a@b:c": ("hooks.example.com", 443, "/a@b:c"),
    "https://hooks.example.com/caf%C3%A9": ("hooks.example.com", 443, "/caf%C3%A9"),
    "https://b\u00fccher.example/": ("xn--bcher-kva.example", 443, "/"),
    "https://stra\u00dfe.example/": ("xn--strae-oqa.example", 443, "/"),
    "https://xn--bcher-kva.example/": ("xn--bcher-kva.example", 443, "/"),
    "https://my_service-1.example/": ("my_service-1.example", 443, "/"),
    "https://1.2.3.4a/": ("1.2.3.4a", 443, "/"),
    "https://8.8.8.8/": ("8.8.8.8", 443, "/"),
    "https://[2606:4700:0::1111]/": ("[2606:4700::1111]", 443, "/"),
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_is_refused_with_its_reason(url):
    reason = check_url(url, DEFAULT)

    assert reason is not None
    assert REFUSED[url] in reason
    assert reason.endswith(".")


@pytest.mark.parametrize("url", ALLOWED)
def test_a_url_is_read_as_it_is_requested(url):
    destination = read_url(url, DEFAULT)

    assert check_url(url, DEFAULT) is None
    assert (destination.authority, destination.port, destination.target) == ALLOWED[url]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://hooks.example.com:8443/",
        "https://10.1.2.3/",
        "http://10.1.2.3:8443",
    ],
)
def test_the_configuration_allows_more(url):
    assert check_url(url, DEFAULT) is not None
    assert check_url(url, WIDE) is None


def test_the_configuration_opens_nothing_else():
    assert check_url("https://172.16.0.1/", WIDE) is not None
    assert check_url("https://hooks.example.com:8444/", WIDE) is not None
