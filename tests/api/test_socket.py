"""GraphQL over websockets against a running server: every door of the protocol, and who is let in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from websockets import ClientConnection, Subprotocol, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.api.conftest import served_by
from tests.patience import PATIENCE_SECONDS, SLACK_SECONDS

PROTOCOL = Subprotocol("graphql-transport-ws")
VIEWER = "{ viewer { workspace { name } } }"
CHANGES = "subscription { membershipChanges { after cursor changes { kind subscriber { externalId } } } }"


@asynccontextmanager
async def opened(server) -> AsyncIterator[ClientConnection]:
    async with connect(server.socket_url, subprotocols=[PROTOCOL]) as socket:
        yield socket


@asynccontextmanager
async def entered(server, token: str) -> AsyncIterator[ClientConnection]:
    async with opened(server) as socket:
        await send(socket, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        assert await received(socket) == {"type": "connection_ack"}
        yield socket


async def send(socket: ClientConnection, message: object) -> None:
    await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))


async def received(socket: ClientConnection, seconds: float = PATIENCE_SECONDS):
    async with asyncio.timeout(seconds):
        frame = await socket.recv()
    assert isinstance(frame, str)
    return json.loads(frame)


async def closing_code(socket: ClientConnection, seconds: float = PATIENCE_SECONDS) -> int:
    async with asyncio.timeout(seconds):
        with pytest.raises(ConnectionClosed) as closed:
            await _drained(socket)
    assert closed.value.rcvd is not None, "closed without a code"
    return closed.value.rcvd.code


async def _drained(socket: ClientConnection) -> None:
    while True:
        await socket.recv()


def subscribe(query: str, id_: str = "1", **more: object) -> dict[str, object]:
    return {"id": id_, "type": "subscribe", "payload": {"query": query, **more}}


async def test_a_query_is_one_result_and_done(server, api):
    async with entered(server, await api.token()) as socket:
        await send(socket, subscribe(VIEWER))

        assert await received(socket) == {
            "id": "1", "type": "next", "payload": {"data": {"viewer": {"workspace": {"name": api.access.workspace.name}}}},
        }  # fmt: skip
        assert await received(socket) == {"id": "1", "type": "complete"}


async def test_changes_arrive_as_they_happen(server, served):
    async with entered(server, await served.token()) as socket:
        await send(socket, subscribe(CHANGES))
        first = (await received(socket))["payload"]["data"]["membershipChanges"]
        group = await served.group("Friends")
        await served.upsert({"externalId": "1", "addToGroupIds": [group]})
        await served.tick()

        second = (await received(socket))["payload"]["data"]["membershipChanges"]

    assert first["changes"] == []
    assert second["after"] == first["cursor"]
    assert second["changes"] == [{"kind": "ENTERED", "subscriber": {"externalId": "1"}}]


async def test_somebody_who_comes_later_is_heard_of(server, served):
    document = CHANGES.replace("membershipChanges", 'membershipChanges(subscriber: {externalId: "ada"})')
    async with entered(server, await served.token()) as socket:
        await send(socket, subscribe(document))
        first = (await received(socket))["payload"]["data"]["membershipChanges"]
        group = await served.group("Friends")
        await served.upsert(*({"externalId": name, "addToGroupIds": [group]} for name in ("bob", "ada")))
        await served.tick()

        second = (await received(socket))["payload"]["data"]["membershipChanges"]

    assert second["after"] == first["cursor"]
    assert second["changes"] == [{"kind": "ENTERED", "subscriber": {"externalId": "ada"}}]


async def test_operations_on_a_socket_see_what_is_true_now(server, api):
    query = "{ groups { edges { node { name memberCount } } } }"
    async with entered(server, await api.token()) as socket:
        counts = []
        for number in range(3):
            await api.upsert({"externalId": str(number), "addToGroupIds": [await group_id(api)]})
            await send(socket, subscribe(query, str(number)))
            counts.append(
                (await received(socket))["payload"]["data"]["groups"]["edges"][0]["node"]["memberCount"]
            )
            assert (await received(socket))["type"] == "complete"

    assert counts == [1, 2, 3]


async def group_id(api) -> str:
    found = await api.data('{ group(by: {name: "Friends"}) { id } }')
    return found["group"]["id"] if found["group"] else await api.group("Friends")


@pytest.mark.parametrize(
    ("document", "code"),
    [("{", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"), ("", "BAD_USER_INPUT"),
     ("query A { __typename } query B { __typename }", "BAD_USER_INPUT")],
)  # fmt: skip
async def test_what_cannot_run_is_an_error_and_the_socket_stays(server, api, document, code):
    async with entered(server, await api.token()) as socket:
        await send(socket, subscribe(CHANGES, "live"))
        assert (await received(socket))["type"] == "next"
        await send(socket, subscribe(document))

        error = await received(socket)

        assert (error["id"], error["type"]) == ("1", "error")
        assert error["payload"][0]["extensions"]["code"] == code
        await send(socket, subscribe(VIEWER))
        assert (await received(socket))["type"] == "next"


async def test_a_stream_that_fails_ends_alone(server, api):
    async with entered(server, await api.token()) as socket:
        await send(socket, subscribe('subscription { membershipChanges(after: "forged") { cursor } }'))

        failed, done = await received(socket), await received(socket)

        assert failed["payload"]["errors"][0]["extensions"] == {"code": "CURSOR_INVALID"}
        assert done == {"id": "1", "type": "complete"}
        await send(socket, {"type": "ping"})
        assert await received(socket) == {"type": "pong"}


@pytest.mark.parametrize(
    "message",
    [
        "", "null", "1", '"x"', "[1]", "{}", "{", "NaN", "[" * 60_000, '{"type": null}', '{"type": 1}', '{"type": []}',
        '{"type": "zzz"}', '{"type": "start"}', b"{}", b"\xff", {"type": "subscribe"}, {"type": "subscribe", "id": "1"},
        {"type": "subscribe", "id": 1, "payload": {"query": VIEWER}}, {"type": "subscribe", "id": "", "payload": {"query": VIEWER}},
        {"type": "subscribe", "id": {}, "payload": {"query": VIEWER}}, {"type": "subscribe", "id": "1", "payload": "x"},
        {"type": "subscribe", "id": "1", "payload": []}, {"type": "subscribe", "id": "1", "payload": {"query": 5}},
        {"type": "subscribe", "id": "1", "payload": {"query": VIEWER, "variables": [1]}},
        {"type": "subscribe", "id": "1", "payload": {"query": VIEWER, "variables": "x"}},
        {"type": "subscribe", "id": "1", "payload": {"query": VIEWER, "operationName": 1}},
        {"type": "subscribe", "id": "1", "payload": {"query": VIEWER, "extensions": [1]}},
        {"type": "subscribe", "id": "1", "payload": {"extensions": {"persistedQuery": None}}},
        {"type": "complete"}, {"type": "complete", "id": 1}, {"type": "ping", "payload": 1}, {"type": "pong", "payload": "x"},
    ],
)  # fmt: skip
async def test_what_is_not_of_the_protocol_closes_the_socket(server, api, message):
    async with entered(server, await api.token()) as socket:
        await send(socket, message)

        assert await closing_code(socket) == 4400


@pytest.mark.faults
async def test_text_that_is_no_utf_8_closes_the_socket_without_a_traceback(
    database_url, redis_url, api, tmp_path
):
    async with (
        served_by(database_url, redis_url, tmp_path / "web.log") as server,
        entered(server, await api.token()) as socket,
    ):
        await socket.send(b'{"type": "ping\xff"}', text=True)

        assert await closing_code(socket) == 1007
    assert "ERROR" not in (tmp_path / "web.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("payload", [3, "x", [1]])
async def test_an_init_payload_is_an_object(server, payload):
    async with opened(server) as socket:
        await send(socket, {"type": "connection_init", "payload": payload})

        assert await closing_code(socket) == 4400


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"authorization": None},
        {"authorization": 1},
        {"authorization": "Bearer"},
        {"Authorization": "Basic dTpw"},
        {"headers": {"Authorization": 1}},
        {"headers": "Bearer x"},
        {"headers": []},
    ],
)
async def test_without_credentials_nobody_enters(server, payload):
    async with opened(server) as socket:
        await send(socket, {"type": "connection_init", "payload": payload})

        assert await closing_code(socket) == 4401


GOOD, WRONG = "Bearer {token}", "Bearer agq_wrong"


@pytest.mark.parametrize(
    ("payload", "upgrade", "is_let_in"),
    [
        ({"authorization": GOOD}, None, True),
        ({"Authorization": GOOD}, None, True),
        ({"AUTHORIZATION": GOOD}, None, True),
        ({"headers": {"authorization": GOOD}}, None, True),
        ({"headers": {"Authorization": GOOD}, "more": 1}, None, True),
        (None, GOOD, True),
        ({}, GOOD, True),
        ({"authorization": None, "headers": None}, GOOD, True),
        ({"Authorization": GOOD}, WRONG, True),
        ({"headers": {"Authorization": GOOD}}, WRONG, True),
        ({"authorization": GOOD, "headers": {"Authorization": WRONG}}, None, True),
        ({"Authorization": WRONG}, GOOD, False),
        ({"headers": {"Authorization": WRONG}}, GOOD, False),
        ({"authorization": WRONG, "headers": {"Authorization": GOOD}}, GOOD, False),
        (None, WRONG, False),
    ],
)
async def test_credentials_come_in_the_init_or_with_the_upgrade(server, api, payload, upgrade, is_let_in):
    token = await api.token()
    headers = {} if upgrade is None else {"Authorization": upgrade.replace("{token}", token)}
    init = json.dumps({"type": "connection_init", "payload": payload}).replace("{token}", token)
    async with connect(server.socket_url, subprotocols=[PROTOCOL], additional_headers=headers) as socket:
        await send(socket, init)

        if is_let_in:
            assert await received(socket) == {"type": "connection_ack"}
        else:
            assert await closing_code(socket) == 4403


async def test_a_header_opens_nothing_before_the_init_and_nothing_to_pages_of_other_origins(server, api):
    headers = {"Authorization": f"Bearer {await api.token()}"}
    async with connect(server.socket_url, subprotocols=[PROTOCOL], additional_headers=headers) as socket:
        await send(socket, subscribe(VIEWER))
        assert await closing_code(socket) == 4401
    with pytest.raises(InvalidStatus):
        await connect(
            server.socket_url,
            subprotocols=[PROTOCOL],
            additional_headers=headers,
            origin=Origin("https://evil.example"),
        )


OF_VIEWER = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(VIEWER.encode()).hexdigest()}}


async def test_a_hash_in_place_of_a_document_is_refused_in_the_words_that_clients_wait_for(server, api):
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    async with entered(server, await api.token()) as socket:
        await send(socket, {"id": "1", "type": "subscribe", "payload": {"extensions": extensions}})
        refused = await received(socket)
        await send(socket, subscribe(VIEWER, extensions=OF_VIEWER))
        answered = await received(socket)

    assert (refused["id"], refused["type"]) == ("1", "error")
    assert refused["payload"] == [
        {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
    ]
    assert answered["payload"]["data"] == {"viewer": {"workspace": {"name": api.access.workspace.name}}}


@pytest.mark.parametrize("token", ["nonsense", "agq_AAAAAAAA_" + "A" * 38])
async def test_a_wrong_token_is_forbidden(server, token):
    async with opened(server) as socket:
        await send(socket, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})

        assert await closing_code(socket) == 4403


async def test_a_revoked_token_s_sockets_close_within_five_seconds(server, api):
    token = await api.token()
    async with entered(server, token) as socket:
        await send(socket, subscribe(CHANGES))
        assert (await received(socket))["type"] == "next"
        async with api.services.ports.database.acquire() as connection:
            await connection.execute(
                "UPDATE api_tokens SET revoked_at = created_at WHERE prefix = $1", token.split("_")[1]
            )

        assert await closing_code(socket, seconds=5 + SLACK_SECONDS) == 4403


async def test_nothing_happens_before_the_init(server):
    async with opened(server) as socket:
        await send(socket, subscribe(VIEWER))

        assert await closing_code(socket) == 4401


@pytest.mark.faults
async def test_a_silent_socket_is_closed(server):
    async with opened(server) as socket:
        assert await closing_code(socket, seconds=5 + SLACK_SECONDS) == 4408


async def test_one_init_is_enough(server, api):
    async with entered(server, await api.token()) as socket:
        await send(socket, {"type": "connection_init"})

        assert await closing_code(socket) == 4429


async def test_an_id_is_used_once_at_a_time(server, api):
    async with entered(server, await api.token()) as socket:
        await send(socket, subscribe(CHANGES))
        await send(socket, subscribe(CHANGES))

        assert await closing_code(socket) == 4409


async def test_an_id_is_free_again_after_complete(server, api):
    async with entered(server, await api.token()) as socket:
        for _ in range(20):
            await send(socket, subscribe(CHANGES))
            await send(socket, {"type": "complete", "id": "1"})
        await send(socket, subscribe(VIEWER))

        while (message := await received(socket))["type"] != "complete":
            assert message["type"] == "next"


async def test_a_socket_runs_twenty_operations(server, api):
    async with entered(server, await api.token()) as socket:
        for number in range(20):
            await send(socket, subscribe(CHANGES, str(number)))
        for _ in range(20):
            assert (await received(socket))["type"] == "next"
        await send(socket, subscribe(CHANGES, "one more"))

        refused = await received(socket)

        assert (refused["id"], refused["type"]) == ("one more", "error")
        assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_token_has_so_many_sockets_at_a_time(server, api):
    token = await api.token()
    sockets = [await connect(server.socket_url, subprotocols=[PROTOCOL]) for _ in range(6)]
    init = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
    for socket in sockets[:5]:
        await send(socket, init)
        assert (await received(socket))["type"] == "connection_ack"

    await send(sockets[5], init)

    assert await closing_code(sockets[5]) == 1013
    for socket in sockets:
        await socket.close()
    async with entered(server, token):
        pass


async def test_frames_are_at_most_64_kib(server, api):
    async with entered(server, await api.token()) as socket:
        await send(socket, subscribe(VIEWER + " " * 70_000))

        assert await closing_code(socket) == 1009


@pytest.mark.faults
@pytest.mark.parametrize("megabytes", [1, 2, 8])
async def test_a_client_hears_why_it_must_go_while_it_still_sends(server, megabytes):
    """By hand, because libraries stop sending as soon as they have read a close."""
    address = urlsplit(server.socket_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    key = base64.b64encode(bytes(16)).decode()
    writer.write(
        f"GET /graphql HTTP/1.1\r\nhost: {address.netloc}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        f"sec-websocket-key: {key}\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: {PROTOCOL}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    size = megabytes * 1024 * 1024 + 1
    writer.write(bytes((0x81, 0xFF)) + size.to_bytes(8, "big") + bytes(4))
    for _ in range(megabytes * 16):
        writer.write(b" " * 65_536)
        await writer.drain()
        await asyncio.sleep(0.001)

    async with asyncio.timeout(5):
        heard = await reader.read()

    writer.close()
    assert heard[:1] == b"\x88"
    assert int.from_bytes(heard[2:4], "big") == 1009


@pytest.mark.parametrize("protocols", [[], [Subprotocol("graphql-ws")], [Subprotocol("bogus")]])
async def test_only_one_protocol_is_spoken(server, protocols):
    async with connect(server.socket_url, subprotocols=protocols or None) as socket:
        assert await closing_code(socket) == 4406


async def test_pages_of_other_origins_are_refused(server):
    with pytest.raises(InvalidStatus) as refused:
        await connect(server.socket_url, subprotocols=[PROTOCOL], origin=Origin("https://evil.example"))

    assert refused.value.response.status_code == 403


@pytest.mark.faults
async def test_pages_of_our_own_origin_and_of_those_allowed_are_welcome(
    database_url, redis_url, api, tmp_path
):
    token = await api.token()
    async with served_by(
        database_url,
        redis_url,
        tmp_path / "web.log",
        AUDIENCE_ALLOWED_ORIGINS="https://app.example, http://b.example:81",
    ) as server:
        for origin in (server.url, "https://app.example", "http://b.example:81"):
            async with connect(server.socket_url, subprotocols=[PROTOCOL], origin=Origin(origin)) as socket:
                await send(
                    socket, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
                )
                assert await received(socket) == {"type": "connection_ack"}
        for origin in ("http://app.example", "https://app.example.evil.example", "null", "http://b.example"):
            with pytest.raises(InvalidStatus):
                await connect(server.socket_url, subprotocols=[PROTOCOL], origin=Origin(origin))


async def test_a_scope_is_needed_on_sockets_too(server, api):
    async with entered(server, await api.token("TRACK")) as socket:
        await send(socket, subscribe(CHANGES))

        error = await received(socket)

    assert error["payload"][0]["extensions"]["code"] == "FORBIDDEN"
