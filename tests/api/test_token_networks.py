"""A token that networks bind opens its workspace from there only, over every transport, and shows from where it was used."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from audience_gql.api.transport.callers import caller_of
from audience_gql.audience.access import Doorkeeper, Unauthenticated, create_token
from audience_gql.audience.callers import Caller
from audience_gql.storage.orm.models import ApiToken
from tests.api import test_socket as sockets
from tests.api import test_sse as streams
from tests.patience import PATIENCE_SECONDS

PROXIES = (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"))
INSIDE = "203.0.113.7"
VIEWER = {"query": "{ viewer { workspace { id } } }"}


@pytest.mark.parametrize(
    ("peer", "told", "found"),
    [
        (INSIDE, [], INSIDE),
        (INSIDE, ["198.51.100.1"], INSIDE),  # not a proxy of ours
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [INSIDE], INSIDE),
        ("127.0.0.1", [f"198.51.100.1, {INSIDE}"], INSIDE),  # what stands before it is the caller's
        ("127.0.0.1", ["198.51.100.1", INSIDE], INSIDE),  # the same in two headers
        ("127.0.0.1", [f"{INSIDE}, 10.1.2.3"], INSIDE),
        ("127.0.0.1", ["10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", [f"{INSIDE}, unknown"], None),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("::ffff:203.0.113.7", [], INSIDE),
        ("2001:db8::1", [], "2001:db8::1"),
        ("not an address", [], None),
        (None, [], None),
    ],
)
def test_the_address_is_the_last_one_that_is_not_a_proxy(peer, told, found):
    headers = [(b"x-forwarded-for", text.encode()) for text in told]

    caller = caller_of({"client": None if peer is None else (peer, 1), "headers": headers}, PROXIES)

    assert caller.address == (None if found is None else ip_address(found))


@pytest.mark.parametrize(
    ("agent", "found"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140", "BROWSER"),
        ("curl/8.5.0", "COMMAND_LINE"),
        ("python-httpx/0.28", "PROGRAM"),
        (" ", None),
        (None, None),
    ],
)
def test_a_program_is_known_by_its_name(agent, found):
    headers = [] if agent is None else [(b"user-agent", agent.encode())]

    assert caller_of({"client": None, "headers": headers}, PROXIES).agent == found


async def bound(api, *networks: str) -> str:
    _, secret = await create_token(
        ports=api.services.ports,
        workspace=api.access.workspace,
        name="bound",
        scopes=["ADMIN"],
        networks=networks,
    )
    return secret


def calls(address: str | None):
    known = None if address is None else ip_address(address)
    return lambda: Caller(address=known, agent="PROGRAM")


async def test_a_bound_token_opens_from_its_networks_only(api):
    secret = await bound(api, "203.0.113.0/24", "2001:db8::/32")
    keeper = Doorkeeper(api.services.ports)

    for address in (INSIDE, "2001:db8::5"):
        assert (await keeper.authenticate(secret, calls(address))).token.name == "bound"
    for wrong in ("203.0.114.1", "2001:db9::1", None):
        for doorkeeper in (keeper, Doorkeeper(api.services.ports)):  # which remembers it, and which does not
            with pytest.raises(Unauthenticated):
                await doorkeeper.authenticate(secret, calls(wrong))
    with pytest.raises(Unauthenticated):
        await keeper.authenticate(secret)  # a door that forgets to say who calls


async def test_a_refused_caller_is_no_use_of_the_token(api):
    secret = await bound(api, "203.0.113.0/24")

    with pytest.raises(Unauthenticated):
        await Doorkeeper(api.services.ports).authenticate(secret, calls("198.51.100.1"))
    unused = await ApiToken.get(name="bound", workspace_id=api.access.workspace.id)
    await Doorkeeper(api.services.ports).authenticate(secret, calls(INSIDE))
    used = await ApiToken.get(name="bound", workspace_id=api.access.workspace.id)

    assert unused.last_used_at is None
    assert (used.last_used_at, used.last_used_address, used.last_used_agent) == (
        api.clock.instant,
        INSIDE,
        "PROGRAM",
    )


async def test_the_last_use_is_written_at_most_once_a_minute(api):
    _, secret = await create_token(
        ports=api.services.ports, workspace=api.access.workspace, name="free", scopes=["READ"]
    )

    async def use(address: str) -> str | None:
        await Doorkeeper(api.services.ports).authenticate(secret, calls(address))
        return (await ApiToken.get(name="free", workspace_id=api.access.workspace.id)).last_used_address

    assert await use("198.51.100.1") == "198.51.100.1"
    api.clock.advance(timedelta(seconds=60))
    assert await use("198.51.100.2") == "198.51.100.1"
    api.clock.advance(timedelta(seconds=1))
    assert await use("198.51.100.3") == "198.51.100.3"


async def test_every_transport_looks_at_the_address(served, server):
    secret = await bound(served, "203.0.113.0/24")
    headers = {"authorization": f"Bearer {secret}"}
    inside = headers | {"x-forwarded-for": INSIDE, "user-agent": "Mozilla/5.0"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as client:
        refused = [
            await client.post("/graphql", json=VIEWER, headers=headers),
            await client.post(
                "/graphql", json=VIEWER, headers=headers | {"x-forwarded-for": f"{INSIDE}, 198.51.100.1"}
            ),
            await client.post("/sign-in/code", headers=headers),
            await client.post("/graphql", json={"query": streams.CHANGES}, headers=headers | streams.STREAM),
        ]
        allowed = [
            await client.post("/graphql", json=VIEWER, headers=inside),
            await client.post("/sign-in/code", headers=inside),
        ]
        stream = {"query": streams.CHANGES}
        async with client.stream("POST", "/graphql", json=stream, headers=inside | streams.STREAM) as answer:
            allowed.append(answer)
    async with sockets.opened(server) as socket:
        await sockets.send(socket, {"type": "connection_init", "payload": headers})
        with pytest.raises(ConnectionClosed) as closed:
            await sockets.received(socket)
    async with connect(
        server.socket_url, subprotocols=[sockets.PROTOCOL], additional_headers={"x-forwarded-for": INSIDE}
    ) as socket:
        await sockets.send(socket, {"type": "connection_init", "payload": headers})
        acknowledged = await sockets.received(socket)

    assert [answer.status_code for answer in refused] == [401] * 4
    assert [answer.status_code for answer in allowed] == [200] * 3
    assert refused[0].json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, acknowledged) == (4403, {"type": "connection_ack"})
    tokens = (await served.data("{ apiTokens { name networks lastUsedAddress lastUsedBy } }"))["apiTokens"]
    assert tokens[0] == {
        "name": "bound", "networks": ["203.0.113.0/24"], "lastUsedAddress": INSIDE, "lastUsedBy": "BROWSER",
    }  # fmt: skip
