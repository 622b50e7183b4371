"""The listener of examples/ as a process, which is killed again and again while events pour in."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.faults

LISTENER = Path(__file__).parents[2] / "examples" / "python-listener" / "listen.py"
CREATE_SEGMENT = (
    "mutation ($input: CreateSegmentInput!) { createSegment(input: $input) { ... on Segment { id } } }"
)
UPSERT = "mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) { ... on UpsertSubscribersPayload { subscribers { id } } } }"
LOG = """query ($after: String, $segments: [ID!]) {
  membershipChanges(after: $after, segmentIds: $segments, first: 100) { cursor hasMore changes { id } } }"""
MEMBERS = "query ($id: ID!) { segment(by: {id: $id}) { members(first: 100) { edges { node { id } } } } }"
PEOPLE = 40
KILLS = 3


class Api:
    """What others do meanwhile, again where the server was away."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, query: str, **variables: object) -> dict:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(httpx.TransportError):
                    answer = await self._client.post(
                        "/graphql", json={"query": query, "variables": variables}
                    )
                    if answer.status_code == httpx.codes.OK:
                        assert "errors" not in answer.json(), answer.text
                        return answer.json()["data"]
                await asyncio.sleep(0.1)

    async def segment(self, name: str, condition: object) -> str:
        made = await self.ask(CREATE_SEGMENT, input={"name": name, "condition": condition})
        return made["createSegment"]["id"]

    async def move(self, person: str, city: str) -> str:
        """Who that was, by id."""
        done = await self.ask(UPSERT, input={"subscribers": [{"externalId": person, "city": city}]})
        return done["upsertSubscribers"]["subscribers"][0]["id"]

    async def log(self, segment: str, after: str) -> list[str]:
        """Every change since a cursor, in its order."""
        found: list[str] = []
        while True:
            page = (await self.ask(LOG, after=after, segments=[segment]))["membershipChanges"]
            found += [change["id"] for change in page["changes"]]
            if not page["hasMore"]:
                return found
            after = page["cursor"]

    async def head(self) -> str:
        return (await self.ask(LOG))["membershipChanges"]["cursor"]

    async def members(self, segment: str) -> set[str]:
        read = await self.ask(MEMBERS, id=segment)
        return {edge["node"]["id"] for edge in read["segment"]["members"]["edges"]}


class Listener:
    """The example as a process, with what all its lives have printed."""

    def __init__(self, folder: Path, origin: str, token: str, segment: str) -> None:
        self.state, self._printed = folder / "listener.json", folder / "printed"
        address = origin.replace("http", "ws") + "/graphql"
        self._environment = {**os.environ, "AUDIENCE_WS_URL": address, "AUDIENCE_TOKEN": token}
        self._segment = segment
        self.process = self.start()

    def start(self, output: int | None = None) -> subprocess.Popen[bytes]:
        """Once more; `output` is where it prints instead."""
        with self._printed.open("ab") as printed:
            self.process = subprocess.Popen(
                [sys.executable, LISTENER, "--state", self.state, self._segment],
                env=self._environment,
                stdout=printed if output is None else output,
            )
        return self.process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def lines(self) -> list[dict]:
        """Without a last one that is not written to its end: its change is heard again."""
        if not self._printed.exists():
            return []
        found = []
        for line in self._printed.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
        return found

    def heard(self) -> list[str]:
        """The changes, each where it was heard first."""
        return list(dict.fromkeys(line["id"] for line in self.lines() if "id" in line))

    def members(self) -> set[str]:
        """Who is in, for somebody who does what the lines say, one after the other."""
        found: set[str] = set()
        for line in self.lines():
            match line["kind"]:
                case "RESET":
                    found.clear()
                case "MEMBER" | "ENTERED":
                    found.add(line["subscriberId"])
                case "LEFT":
                    found.discard(line["subscriberId"])
        return found

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                assert self.process.poll() is None, "it ended by itself"
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(loop_scope="session")
async def api(product):
    headers = {"authorization": f"Bearer {product.token}"}
    async with httpx.AsyncClient(
        base_url=product.origin, headers=headers, timeout=PATIENCE_SECONDS
    ) as client:
        yield Api(client)


@pytest.fixture
def listen(product, tmp_path):
    """Starts a listener, which ends with the test."""
    begun: list[Listener] = []

    def listener(segment: str, token: str = product.token) -> Listener:
        begun.append(Listener(tmp_path, product.origin, token, segment))
        return begun[-1]

    yield listener
    for one in begun:
        one.kill()


async def test_it_hears_every_change_although_it_and_the_server_are_killed(product, api, listen):
    segment = await api.segment("In Vilnius", {"city": {"is": "Vilnius"}})
    start = await api.head()
    listener = listen("In Vilnius")
    await listener.until(listener.state.exists)
    chance = random.Random(6)

    async def pour() -> None:
        while True:
            person = chance.randrange(PEOPLE)
            await api.move(f"mover-{person}", chance.choice(("Vilnius", "Riga")))

    pouring = asyncio.create_task(pour())
    for _ in range(KILLS):
        heard = len(listener.lines())
        await listener.until(lambda: len(listener.lines()) > heard + 3)  # noqa: B023  # awaited here
        listener.kill()
        await asyncio.sleep(chance.uniform(0, 0.5))
        listener.start()
    kill_web(product.process_id)
    heard = len(listener.lines())
    await listener.until(lambda: len(listener.lines()) > heard + 5)
    pouring.cancel()
    with suppress(asyncio.CancelledError):
        await pouring
    last = await api.move("last", "Vilnius")
    await listener.until(lambda: last in listener.members())

    assert listener.heard() == await api.log(segment, start)
    assert listener.members() == await api.members(segment)


async def test_a_change_that_could_not_be_dealt_with_comes_again(api, listen):
    segment = await api.segment("In Siauliai", {"city": {"is": "Siauliai"}})
    listener = listen("In Siauliai")
    await listener.until(listener.state.exists)
    listener.kill()
    nobody, broken = os.pipe()
    os.close(nobody)
    listener.start(output=broken)
    os.close(broken)
    await api.move("arrival", "Siauliai")
    ended = await asyncio.to_thread(listener.process.wait, PATIENCE_SECONDS)
    assert ended in (1, 120)  # 120 where Python, as it ends, tries once more to say what it could not

    listener.start()

    await listener.until(lambda: len(listener.members()) == 1)
    assert listener.members() == await api.members(segment)


async def test_with_a_cursor_that_leads_nowhere_it_reads_the_members_anew(api, listen):
    segment = await api.segment("In Kaunas", {"city": {"is": "Kaunas"}})
    await api.move("settler", "Kaunas")
    listener = listen("In Kaunas")
    await listener.until(lambda: listener.state.exists() and len(listener.members()) == 1)
    listener.kill()
    kept = json.loads(listener.state.read_text(encoding="utf-8"))
    listener.state.write_text(json.dumps({**kept, "cursor": f"{kept['cursor'][:-4]}AAAA"}), encoding="utf-8")

    listener.start()
    await listener.until(lambda: [line["kind"] for line in listener.lines()].count("RESET") == 2)
    await api.move("newcomer", "Kaunas")

    await listener.until(lambda: len(listener.members()) == 2)
    assert listener.members() == await api.members(segment)


async def test_a_token_that_opens_nothing_ends_it(api, listen):
    await api.segment("In Klaipeda", {"city": {"is": "Klaipeda"}})

    listener = listen("In Klaipeda", token="agq_nobody_s")

    assert await asyncio.to_thread(listener.process.wait, PATIENCE_SECONDS) == 1
    assert listener.lines() == []


def kill_web(parent: int) -> None:
    """The web process of a started product, which is then started again."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"serve" in words and f"PPid:\t{parent}\n" in (folder / "status").read_text():
                os.kill(int(folder.name), signal.SIGKILL)
                return
    pytest.fail("there is no web process")
