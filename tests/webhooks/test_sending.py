"""What arrives at a receiver, and to which address an attempt connects."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import AsyncExitStack

import pytest
from standardwebhooks import Webhook

from audience_gql.webhooks.guard import Policy, SystemResolver
from audience_gql.webhooks.sender import WebhookSender
from audience_gql.webhooks.signing import new_secret
from tests.webhooks.receivers import (
    BODY,
    LOOPBACK,
    NAME,
    NO_TRUST,
    OK,
    Names,
    answering,
    attempted,
    listen,
    message,
    open_to,
)

PROXIES = [name for it in ("http", "https", "all") for name in (f"{it}_proxy", f"{it}_proxy".upper())]
HTTP = Policy(is_http_allowed=True)


async def closing_at_once(_receiver, _reader, _writer):
    """Close the connection before TLS begins."""


def test_a_message_arrives_whole_and_signed(run):
    async def story():
        async with AsyncExitStack() as stack:
            receiver = await listen(stack, answering(OK))
            sender = WebhookSender(open_to(receiver), resolve=Names("127.0.0.1"), tls=NO_TRUST)
            secret = sender.new_secret()
            url = f"http://Hooks.Example.com.:{receiver.port}/in?a=1#fragment"
            return await sender.send(message(url, secrets=[secret])), receiver, secret

    attempt, receiver, secret = run(story())

    assert (attempt.status, attempt.failure, attempt.response) == (200, None, "ok")
    assert attempt.is_success
    assert receiver.head[0] == "POST /in?a=1 HTTP/1.1"
    assert receiver.body == BODY
    assert Webhook(secret).verify(receiver.body, receiver.headers)
    assert {**receiver.headers, "webhook-timestamp": "", "webhook-signature": ""} == {
        "Host": f"{NAME}:{receiver.port}",
        "User-Agent": "audience-gql",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "webhook-id": "msg_1",
        "webhook-timestamp": "",
        "webhook-signature": "",
        "Content-Length": str(len(BODY)),
    }


def test_secrets_are_not_in_the_text_of_a_message():
    secret = new_secret()

    assert secret not in repr(message("https://hooks.example.com/", secrets=[secret]))


def test_a_malformed_secret_is_a_bug_and_raises(run):
    sender = WebhookSender(Policy(), resolve=Names(), tls=NO_TRUST)

    with pytest.raises(ValueError, match="base64"):
        run(sender.send(message("https://hooks.example.com/", secrets=["whsec_c2hvcnQ="])))


@pytest.mark.parametrize(
    ("addresses", "named"),
    [
        (["127.0.0.1"], "127.0.0.1"),
        (["8.8.8.8", "10.0.0.5"], "10.0.0.5"),
        (["10.0.0.5", "8.8.8.8"], "10.0.0.5"),
        (["2606:4700::1111", "::ffff:10.0.0.5"], "::ffff:"),
        (["64:ff9b::a00:5"], "64:ff9b::a00:5"),
        (["fe80::1%eth0"], "fe80::1%eth0"),
    ],
)
def test_a_name_with_one_private_address_is_refused(run, addresses, named):
    names = Names(*addresses)

    attempt = run(WebhookSender(HTTP, resolve=names, tls=NO_TRUST).send(message(f"http://{NAME}/")))

    assert attempt.status is None
    assert attempt.failure.startswith(f"The name {NAME} resolves to {named}")
    assert attempt.failure.endswith(", which is not a public address.")
    assert names.asked == [NAME]


def test_a_refused_name_is_not_contacted(run):
    async def story():
        async with AsyncExitStack() as stack:
            receiver = await listen(stack, answering(OK))
            policy = Policy(ports=frozenset({receiver.port}), is_http_allowed=True)
            for url in (f"http://{NAME}:{receiver.port}", f"http://127.0.0.1:{receiver.port}"):
                attempt = await WebhookSender(policy, resolve=Names("127.0.0.1"), tls=NO_TRUST).send(
                    message(url)
                )
                assert "127.0.0.1, which is not a public address" in str(attempt.failure)
            return receiver

    assert run(story()).connections == 0


def test_a_refused_url_is_not_looked_up(run):
    names = Names("8.8.8.8")

    attempt = run(WebhookSender(Policy(), resolve=names, tls=NO_TRUST).send(message(f"https://user@{NAME}/")))

    assert attempt.failure == "The URL contains a user name or a password."
    assert names.asked == []


def test_a_name_that_changes_between_look_ups_is_looked_up_once(run, monkeypatch):
    """The second look-up would find a receiver that must not be reached."""
    look_up, asked = socket.getaddrinfo, []

    def changing(host, *args, **options):
        if host != NAME:
            return look_up(host, *args, **options)
        asked.append(host)
        return look_up("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **options)

    async def story():
        async with AsyncExitStack() as stack:
            receiver = await listen(stack, answering(OK))
            monkeypatch.setattr(socket, "getaddrinfo", changing)
            sender = WebhookSender(open_to(receiver), tls=NO_TRUST)
            return await sender.send(message(f"http://{NAME}:{receiver.port}/")), receiver

    attempt, receiver = run(story())

    assert attempt.is_success
    assert receiver.connections == 1
    assert asked == [NAME]


def test_an_address_in_the_url_is_not_looked_up(run):
    async def story():
        async with AsyncExitStack() as stack:
            receiver = await listen(stack, answering(OK))
            names = Names()
            sender = WebhookSender(open_to(receiver), resolve=names, tls=NO_TRUST)
            return await sender.send(message(f"http://127.0.0.1:{receiver.port}/")), names

    attempt, names = run(story())

    assert attempt.is_success
    assert names.asked == []


def test_the_machine_s_resolver_finds_the_names_of_the_machine(run):
    addresses = run(SystemResolver()("localhost"))

    assert set(addresses) <= {"127.0.0.1", "::1"}
    assert addresses


def test_a_slow_name_occupies_one_thread(run, monkeypatch):
    """Otherwise one dead name server would take all threads, and the names of other receivers would wait."""
    answered, asked = threading.Event(), []

    def slow(name, *_args, **_options):
        asked.append(name)
        if name == NAME:
            assert answered.wait(5)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    async def story():
        resolver = SystemResolver()
        waiting = [asyncio.create_task(resolver(NAME)) for _ in range(100)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        other = await resolver("other.example.com")
        answered.set()
        return other, await asyncio.gather(*waiting, return_exceptions=True), await resolver(NAME)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    other, found, again = run(story())

    assert isinstance(found[0], asyncio.CancelledError)
    assert [other, again, *found[1:]] == [["127.0.0.1"]] * 101
    assert asked == [NAME, "other.example.com", NAME]


def test_a_name_without_an_address_is_a_failure(run):
    attempt = run(WebhookSender(Policy(), resolve=Names(), tls=NO_TRUST).send(message(f"https://{NAME}/")))

    assert attempt.failure == f"The name {NAME} has no address."


def test_an_unknown_name_is_a_failure(run, monkeypatch):
    def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    attempt = run(WebhookSender(Policy(), tls=NO_TRUST).send(message(f"https://{NAME}/")))

    assert attempt.failure == f"The name {NAME} could not be resolved: Name or service not known."


def test_the_next_address_gets_its_turn(run):
    async def story():
        async with AsyncExitStack() as stack:
            receiver = await listen(stack, answering(OK))
            names = Names("127.0.0.2", "127.0.0.1")
            sender = WebhookSender(open_to(receiver), resolve=names, tls=NO_TRUST)
            return await sender.send(message(f"http://{NAME}:{receiver.port}/"))

    assert run(story()).is_success


def test_a_closed_port_is_a_failure(run, unused_tcp_port):
    policy = Policy(networks=(LOOPBACK,), ports=frozenset({unused_tcp_port}), is_http_allowed=True)
    sender = WebhookSender(policy, resolve=Names("127.0.0.1", "127.0.0.2"), tls=NO_TRUST)

    attempt = run(sender.send(message(f"http://{NAME}:{unused_tcp_port}/")))

    assert attempt.status is None
    assert attempt.failure == "Could not connect to 127.0.0.2: Connection refused."


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(run, status):
    async def story():
        async with AsyncExitStack() as stack:
            private = await listen(stack, answering(OK))
            location = f"Location: http://127.0.0.1:{private.port}/"
            answer = f"HTTP/1.1 {status} Elsewhere\r\n{location}\r\nContent-Length: 0\r\n\r\n"
            receiver = await listen(stack, answering(answer.encode()))
            sender = WebhookSender(open_to(receiver, private), resolve=Names("127.0.0.1"), tls=NO_TRUST)
            return await sender.send(message(f"http://{NAME}:{receiver.port}/")), private

    attempt, private = run(story())

    assert attempt.status == status
    assert not attempt.is_success
    assert attempt.failure.startswith(f"The receiver answered {status} ")
    assert attempt.failure.endswith(". Webhooks follow no redirects.")
    assert private.connections == 0


def test_a_proxy_of_the_environment_is_not_contacted(run, monkeypatch):
    async def story():
        async with AsyncExitStack() as stack:
            proxy = await listen(stack, answering(OK))
            receiver = await listen(stack, answering(OK))
            closing = await listen(stack, closing_at_once)
            for name in PROXIES:
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            sender = WebhookSender(open_to(receiver, closing), resolve=Names("127.0.0.1"), tls=NO_TRUST)
            plain = await sender.send(message(f"http://{NAME}:{receiver.port}/"))
            secure = await sender.send(message(f"https://127.0.0.1:{closing.port}/"))
            return plain, secure, closing, proxy

    plain, secure, closing, proxy = run(story())

    assert plain.is_success
    assert not secure.is_success
    assert closing.connections == 1
    assert proxy.connections == 0


def test_an_attempt_can_be_cancelled(run):
    async def silent(_receiver, reader, _writer):
        await reader.read()

    async def story():
        task = asyncio.create_task(attempted(silent, seconds=60))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(story())
