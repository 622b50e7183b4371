"""TLS: the connection goes to the checked address, and the certificate must be valid for the name in the URL."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
import trustme

from audience_gql.webhooks.sender import WebhookSender
from tests.webhooks.receivers import BODY, NAME, OK, Names, answering, listen, message, open_to


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusting(authority):
    """What verifies certificates in place of the system's store."""
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    return tls


def secure(run, certificate, *, tls, host=NAME, addresses=("127.0.0.1",)):
    """An attempt to send to a receiver with this certificate."""

    async def story():
        async with AsyncExitStack() as stack:
            server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(server)
            receiver = await listen(stack, answering(OK), server)
            server.sni_callback = lambda _connection, name, _context: receiver.names.append(name)
            sender = WebhookSender(open_to(receiver), resolve=Names(*addresses), tls=tls)
            return await sender.send(message(f"https://{host}:{receiver.port}/")), receiver

    return run(story())


def test_the_name_is_verified_and_the_address_is_connected(run, authority, trusting):
    attempt, receiver = secure(run, authority.issue_cert(NAME), tls=trusting)

    assert attempt.is_success
    assert receiver.names == [NAME]
    assert receiver.headers["Host"] == f"{NAME}:{receiver.port}"
    assert receiver.body == BODY


def test_an_international_name_is_verified_in_ascii(run, authority, trusting):
    attempt, receiver = secure(
        run, authority.issue_cert("xn--bcher-kva.example"), tls=trusting, host="b\u00fccher.example."
    )

    assert attempt.is_success
    assert receiver.names == ["xn--bcher-kva.example"]


def test_an_address_in_the_url_is_verified_as_an_address(run, authority, trusting):
    attempt, receiver = secure(run, authority.issue_cert("127.0.0.1"), tls=trusting, host="127.0.0.1")

    assert attempt.is_success
    assert receiver.names == [None]


@pytest.mark.parametrize("identity", ["127.0.0.1", "other.example.com", "example.com"])
def test_a_certificate_for_another_name_is_a_failure(run, authority, trusting, identity):
    attempt, receiver = secure(run, authority.issue_cert(identity), tls=trusting)

    assert attempt.status is None
    assert attempt.failure.startswith("TLS with 127.0.0.1 failed: Hostname mismatch")
    assert receiver.request == b""


def test_a_certificate_of_an_unknown_authority_is_a_failure(run, authority):
    attempt, receiver = secure(run, authority.issue_cert(NAME), tls=None)

    assert attempt.failure.startswith("TLS with 127.0.0.1 failed: unable to get local issuer certificate")
    assert receiver.request == b""


def test_an_expired_certificate_is_a_failure(run, authority, trusting):
    old = authority.issue_cert(
        NAME, not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2020, 2, 1, tzinfo=UTC)
    )

    attempt, receiver = secure(run, old, tls=trusting)

    assert attempt.failure == "TLS with 127.0.0.1 failed: certificate has expired."
    assert receiver.request == b""


def test_a_receiver_without_tls_is_a_failure(run):
    async def greeting(_receiver, reader, writer):
        writer.write(OK)
        await reader.read()

    async def story():
        async with AsyncExitStack() as stack:
            receiver = await listen(stack, greeting)
            sender = WebhookSender(open_to(receiver), resolve=Names("127.0.0.1"))
            return await sender.send(message(f"https://{NAME}:{receiver.port}/"))

    attempt = run(story())

    assert attempt.status is None
    assert attempt.failure.startswith("TLS with 127.0.0.1 failed: ")


def test_a_receiver_that_never_finishes_tls_cannot_hold_an_attempt(run):
    async def silent(_receiver, reader, _writer):
        while await reader.read(100):
            pass

    async def story():
        async with AsyncExitStack() as stack:
            receiver = await listen(stack, silent)
            sender = WebhookSender(open_to(receiver), resolve=Names("127.0.0.1"), attempt_seconds=0.2)
            return await sender.send(message(f"https://{NAME}:{receiver.port}/"))

    assert run(story()).failure == "The receiver did not answer within 0.2 seconds."
