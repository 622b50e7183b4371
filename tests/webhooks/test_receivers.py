"""Receivers that misbehave: every attempt ends in time, within bounds of memory, and with a sentence."""

from __future__ import annotations

import asyncio
import socket
import struct
from datetime import UTC, datetime

import h11
import pytest

from audience_gql.webhooks.exchange import seconds_to_wait
from tests.webhooks.receivers import OK, answering, attempted, read_request

SHORT = 0.2
MANY = 1_000_000_000
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def dripping(start: bytes):
    """Answer with these bytes, then with a digit from time to time."""

    async def behave(receiver, reader, writer):
        await read_request(receiver, reader)
        writer.write(start)
        while True:
            writer.write(b"1")
            await writer.drain()
            await asyncio.sleep(SHORT / 10)

    return behave


def flooding(start: bytes, more: bytes):
    """Answer with these bytes, then send a gigabyte."""

    async def behave(receiver, reader, writer):
        await read_request(receiver, reader)
        writer.write(start)
        while receiver.sent_bytes < MANY:
            writer.write(more)
            await writer.drain()
            receiver.sent_bytes += len(more)

    return behave


def reset(writer):
    """Close a connection so that the other side gets a reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silent(receiver, reader, _writer):
    await read_request(receiver, reader)
    await reader.read()


async def resetting_at_once(_receiver, _reader, writer):
    reset(writer)


async def resetting(receiver, reader, writer):
    await read_request(receiver, reader)
    reset(writer)


async def answering_and_resetting(receiver, reader, writer):
    await read_request(receiver, reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")
    await writer.drain()
    await asyncio.sleep(0.05)
    reset(writer)


async def answering_early(_receiver, reader, writer):
    """Answer without reading the body, and leave it unread until the sender is done."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await writer.drain()
    await asyncio.sleep(0.1)


CLOSED = "The receiver closed the connection without an answer."
INVALID = "The receiver's answer is not valid HTTP, or its head is too long."
LATE = f"The receiver did not answer within {SHORT} seconds."
MUCH = "The receiver sent too much, or too many small pieces, before the head of its answer."
HEAD = b"HTTP/1.1 200 OK\r\n"
NO_ANSWER = {
    "silent": (silent, LATE),
    "drips the head": (dripping(b"HTTP/1.1 200 OK\r\nX-Long: "), LATE),
    "closes early": (answering(b""), CLOSED),
    "switches protocols": (answering(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), INVALID),
    "closes in the head": (answering(b"HTTP/1.1 200 OK\r\nX-Half"), CLOSED),
    "sends garbage": (answering(b"\x16\x03\x01\x00\xff\r\n\r\n"), INVALID),
    "speaks another protocol": (answering(b"220 mail.example ESMTP\r\n\r\n"), INVALID),
    "sends a status of four digits": (answering(b"HTTP/1.1 2000 OK\r\n\r\n"), INVALID),
    "sends two lengths": (answering(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n1"), INVALID),
    "sends a giant header": (flooding(HEAD + b"X-Giant: ", b"1" * 10_000), INVALID),
    "sends giant headers": (flooding(HEAD, b"X-Many: 1\r\n" * 1_000), INVALID),
    "sends interim answers for ever": (flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 400), MUCH),
    "resets": (resetting, "The connection was lost: Connection reset by peer."),
}
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ACCEPTED = {  # the status says that the receiver has the message, whatever happens to the rest
    "drips the body": (dripping(HEAD + b"Content-Length: 1000\r\n\r\n"), None),
    "sends a gigabyte": (flooding(HEAD + b"Content-Length: 1000000000\r\n\r\n", b"1" * 100_000), "1" * 1024),
    "sends a gigabyte until it closes": (flooding(HEAD + b"\r\n", b"1" * 100_000), "1" * 1024),
    "sends small chunks": (flooding(CHUNKED, b"1\r\n1\r\n" * 10_000), "1" * 1024),
    "cuts the body off": (answering(HEAD + b"Content-Length: 9\r\n\r\nbegun"), "begun"),
    "sends a malformed chunk": (answering(CHUNKED + b"5\r\nbegun\r\nxyz\r\n"), "begun"),
    "resets in the body": (answering_and_resetting, "begun"),
    "sends nothing more": (answering(b"HTTP/1.1 204 No Content\r\n\r\n"), ""),
    "sends an interim answer first": (answering(b"HTTP/1.1 102 Processing\r\n\r\n" + OK), "ok"),
    "speaks HTTP/1.0": (answering(b"HTTP/1.0 202 Accepted\r\n\r\nfine"), "fine"),
    "sends no text": (answering(HEAD + b"Content-Length: 4\r\n\r\na\x00\xffb"), "a\ufffd\ufffdb"),
    "sends 1,025 bytes": (answering(HEAD + b"Content-Length: 1025\r\n\r\n" + b"1" * 1025), "1" * 1024),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_without_an_answer_an_attempt_fails_with_a_sentence(run, name):
    behave, failure = NO_ANSWER[name]

    attempt, receiver = run(attempted(behave, seconds=SHORT if failure == LATE else 5))

    assert (attempt.status, attempt.failure) == (None, failure)
    assert (attempt.is_success, attempt.response, attempt.retry_after_seconds) == (False, "", None)
    assert attempt.milliseconds < 5_000
    assert receiver.sent_bytes < MANY // 50


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_status_decides_even_if_the_body_is_cut_off(run, name):
    behave, response = ACCEPTED[name]

    attempt, receiver = run(attempted(behave, seconds=SHORT if response is None else 5))

    assert attempt.is_success
    assert attempt.failure is None
    assert attempt.response == response if response is not None else set(attempt.response) == {"1"}
    assert receiver.sent_bytes < MANY // 50


def test_a_body_in_chunks_of_one_byte_costs_little_work(run, monkeypatch):
    """Parsing takes the worker's time, and 64 kB can be very many chunks."""
    next_event, events = h11.Connection.next_event, []

    def counting(connection):
        events.append(next_event(connection))
        return events[-1]

    monkeypatch.setattr(h11.Connection, "next_event", counting)
    attempt, _ = run(attempted(answering(CHUNKED + b"1\r\n1\r\n" * 10_000)))

    assert attempt.is_success
    assert 1_024 < len(events) <= 2_000


def test_a_reset_at_once_is_a_failure(run):
    """What the sender notices first depends on the system."""
    attempt, _ = run(attempted(resetting_at_once, body=b"1" * 1_000_000))

    assert attempt.status is None
    assert attempt.failure.startswith(("The connection was lost: ", "Could not connect", CLOSED))


def test_an_early_answer_to_a_large_message_counts(run):
    attempt, _ = run(attempted(answering_early, body=b"1" * 10_000_000))

    assert (attempt.status, attempt.response) == (200, "ok")


def test_a_receiver_that_never_reads_cannot_hold_an_attempt(run):
    async def never_reading(_receiver, _reader, _writer):
        await asyncio.sleep(5)

    attempt, _ = run(attempted(never_reading, seconds=SHORT, body=b"1" * 10_000_000))

    assert attempt.failure == LATE


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, "The receiver answered 400 Bad Request."),
        (410, "The receiver answered 410 Gone."),
        (429, "The receiver answered 429 Too Many Requests."),
        (500, "The receiver answered 500 Internal Server Error."),
        (503, "The receiver answered 503 Service Unavailable."),
        (799, "The receiver answered 799."),
    ],
)
def test_another_status_is_a_failure(run, status, failure):
    answer = f"HTTP/1.1 {status} Own words\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nbusy"

    attempt, _ = run(attempted(answering(answer.encode())))

    assert (attempt.status, attempt.is_success, attempt.failure) == (status, False, failure)
    assert (attempt.response, attempt.retry_after_seconds) == ("busy", 120.0)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60.0),
        ("Fri Jan  2 03:05:05 2026", 60.0),
        ("Fri, 02 Jan 2026 04:05:05 +0100", 60.0),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 60.0),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
        ("9" * 10_000, 999_999_999.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("1e9", None),
        ("soon", None),
        ("\u00b2", None),
        ("Fri, 99 Jan 2026 03:05:05 GMT", None),
        ("Fri, 02 Jan 99999999999 03:05:05 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -9999", None),
    ],
)
def test_retry_after_is_read(retry_after, seconds):
    assert seconds_to_wait(retry_after, NOW) == seconds
