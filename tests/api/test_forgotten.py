"""Nothing that was ever said of an erased person is left: not in the database, not in Valkey, not in a log.

The whole product runs. Canaries go in by every door, also where they are refused; then they are looked for in a dump.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from tests.product import Product

pytestmark = pytest.mark.slow

PHONE = "+37061999887"
CANARIES = ("canary", PHONE.removeprefix("+"), "1931-07-19")
"""What everything below contains of the person, in lower case."""
PATIENCE_SECONDS = 60

DEFINE = 'mutation { defineCustomField(input: {key: "note", label: "Note", type: TEXT}) { __typename } }'
UPSERT = """mutation ($people: [SubscriberInput!]!) {
  upsertSubscribers(input: {subscribers: $people}) { ... on UpsertSubscribersPayload { created rejects { message } } }
}"""
TRACK = """mutation ($events: [EventInput!]!) {
  trackEvents(input: {events: $events}) { ... on TrackEventsPayload { accepted rejects { message } } }
}"""
REFUSE = """mutation { setChannelStatus(input: {
  subscriber: {externalId: "canary-1"}, channel: SMS, status: UNSUBSCRIBED, reason: "canary said so"
}) { ... on Subscriber { id } } }"""
START = """mutation ($columns: [ImportColumnInput!]!) {
  startImport(input: {columns: $columns}) { ... on StartImportPayload { uploadUrl import { id } } }
}"""
STATE = """query ($id: ID!) { node(id: $id) { ... on Import {
  state rejected failure rejects(first: 50) { edges { node { message } } } } } }"""
EXPORT = """mutation ($list: ID!, $fields: [String!]) {
  exportList(input: {list: {segmentId: $list}, format: CSV, fields: $fields}) { ... on ExportListPayload { export { id } } }
}"""
SEGMENT = """mutation { createSegment(input: {name: "Everybody", condition: {all: []}}) { ... on Segment { id } } }"""
READY = "query ($id: ID!) { node(id: $id) { ... on Segment { computed: state } ... on Export { written: state } } }"
BY_EMAIL = "query ByEmail($email: String!) { subscriber(by: {email: $email}) { email } }"
PUBLISH = """mutation ($documents: [String!]!) {
  publishDocuments(input: {documents: $documents}) { ... on PublishDocumentsPayload { added } ... on UserError { message } }
}"""
ERASE = """mutation { eraseSubscriber(input: {subscriber: {externalId: "canary-1"}}) { __typename } }"""

DISCLOSE = """mutation { exportSubscriber(input: {subscriber: {externalId: "canary-1"}}) {
  __typename ... on ExportSubscriberPayload { data }
} }"""
ENDPOINT = """mutation { createWebhookEndpoint(input: {name: "CRM", url: "https://crm.invalid/hook"}) {
  ... on CreateWebhookEndpointPayload { endpoint { id } } } }"""
AUTOMATION = """mutation ($segment: ID!, $endpoint: ID!) { createAutomation(input: {
  name: "Tell the CRM", trigger: {segment: $segment}, existing: FIRE, actions: [{webhook: {endpoint: $endpoint, fields: ["city", "note"]}}]
}) { ... on Automation { id } } }"""

ADA: dict[str, Any] = {
    "externalId": "canary-1",
    "email": "Canary.Mail@example.com",
    "phone": PHONE,
    "firstName": "Canary",
    "lastName": "Canarysdottir",
    "city": "Canaryville",
    "postalCode": "CANARY 7",
    "birthday": "1931-07-19",
    "fields": [{"key": "note", "value": "canary note"}],
    "channels": [{"channel": "EMAIL", "status": "ACTIVE"}],
}
ROWS = """id,mail,born,town
canary-1,canary.mail@example.com,1931-07-19,Canarytown
canary-1,canary at example,,
canary-1,,the 19th of a canary month,
,CANARY.MAIL@example.com,31-canary,
bob,canary.mail@example.com,,
canary-1,,,x,a canary too much
canary-1,,,"canary left open
"""


class Asking:
    """Asks the product as a client does."""

    def __init__(self, product: Product, client: httpx.AsyncClient) -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {product.token}"}

    async def __call__(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = await self._client.post("/graphql", json=body, headers=self._headers)
        return answer.json().get("data")

    async def by_hash(self, query: str, **body: Any) -> Any:
        """The answer to a document that is named by its hash, first alone and then with the document."""
        named = {"documentId": f"sha256:{hashlib.sha256(query.encode()).hexdigest()}", **body}
        await self._client.post("/graphql", json=named | {"query": query}, headers=self._headers)
        answer = await self._client.post("/graphql", json=named, headers=self._headers)
        return answer.json().get("data")

    async def get(self, query: str) -> None:
        await self._client.get("/graphql", params={"query": query}, headers=self._headers)

    async def import_file(self, content: str, **headers: str) -> Any:
        columns = [{"header": header, "to": {"profile": target}} for header, target in headers.items()]
        started = (await self(START, columns=columns))["startImport"]
        await self._client.put(
            started["uploadUrl"], content=content.encode(), headers={"content-type": "text/csv"}
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = (await self(STATE, id=started["import"]["id"]))["node"]
                if found["state"] not in ("WAITING", "RUNNING"):
                    return found
                await asyncio.sleep(0.2)


async def test_an_erasure_leaves_no_canary_anywhere(product: Product) -> None:
    async with httpx.AsyncClient(base_url=product.origin, timeout=30) as client:
        ask = Asking(product, client)
        await say_it_everywhere(ask)
        told = await refuse_it_everywhere(ask)
        trusted = await _ask_by_hash(ask)
        await _export_it(ask)
        await _tell_it(ask)
        disclosed = (await ask(DISCLOSE))["exportSubscriber"]
        before = {place.partition(":")[0] for place in await _found(product)}

        erased = await ask(ERASE)
        await _until_files_are_gone(product)
        gone = (await ask(DISCLOSE))["exportSubscriber"]

    text = str(disclosed["data"]).lower()
    assert [
        canary
        for canary in (*CANARIES, "canary letter", "canary-key", "canary note", "canary said so")
        if canary not in text
    ] == []
    assert (
        len(disclosed["data"]["importRejects"]) == 5
    )  # of the row that never ended, nobody knows whose it is
    assert (len(disclosed["data"]["importsQuoting"]), len(disclosed["data"]["webhookChanges"])) == (1, 1)
    assert gone == {"__typename": "NotFound"}
    assert trusted["subscriber"]["email"] == "canary.mail@example.com"
    assert erased == {"eraseSubscriber": {"__typename": "DeletePayload"}}
    assert before >= {"subscribers", "identities", "channel_states", "events", "event_keys"}
    assert before >= {"imports", "import_rejects", "import_effects", "export_chunks"}
    assert (told["rejected"], len(told["rejects"]["edges"])) == (6, 6)
    assert await _found(product) == []


async def test_the_search_finds_what_is_planted(product: Product) -> None:
    log = product.folder / "planted.log"
    log.write_text("a Canary\n", encoding="utf-8")
    redis = Redis.from_url(product.redis_url)
    await redis.hset("planted", "b", "Canary")
    try:
        found = await _found(product)
    finally:
        log.unlink()
        await redis.delete("planted")
        await redis.aclose()

    assert {place.partition(":")[0] for place in found} >= {"planted.log", "Valkey b'planted'"}


async def say_it_everywhere(ask: Asking) -> None:
    await ask(DEFINE)
    await ask(UPSERT, people=[ADA, {"externalId": "bob"}])
    await ask(REFUSE)
    events: list[dict[str, object]] = [
        {"name": "opened", "key": "canary-key", "properties": {"what": "canary letter"}, "value": 1},
        {"name": "email_unsubscribed"},
    ]
    await ask(TRACK, events=[{"subscriber": {"externalId": "canary-1"}, **event} for event in events])


async def _ask_by_hash(ask: Asking) -> Any:
    """Documents are stored, and what clients send with them is not."""
    wrong = 'query Wrong { subscriber(by: {email: "canary.mail@example.com"}) { canary } }'
    await ask(PUBLISH, documents=[BY_EMAIL])
    await ask(PUBLISH, documents=[wrong])
    await ask.by_hash(wrong, variables={"canary": "canary"})
    await ask.by_hash(BY_EMAIL, variables={"email": "canary at example", "more": "canary"})
    return await ask.by_hash(BY_EMAIL, variables={"email": "canary.mail@example.com"})


async def refuse_it_everywhere(ask: Asking) -> Any:
    """Every door refuses something about the person. Returns what an import said of its rows."""
    await ask(UPSERT, people=[ADA | {"email": "canary at example"}, ADA | {"externalId": "bob"}])
    await ask(TRACK, events=[{"subscriber": {"externalId": "canary-1"}, "name": "", "key": "canary-2"}])
    await ask('{ subscriber(by: {email: "canary.mail@example.com"}) { canary } }')
    await ask('{ subscriber(by: {email: "canary.mail@example.com"')
    await ask("query ($a: Int!) { __typename }", a="canary.mail@example.com")
    await ask("mutation ($p: [SubscriberInput!]!) { __typename }", p=[ADA | {"birthday": "canary"}])
    await ask.get('{ subscriber(by: {email: "canary.mail@example.com"}) { id } }')
    failed = await ask.import_file("canary-1,canary.mail@example.com,Canary\n", id="EXTERNAL_ID")
    assert "canary" in failed["failure"]
    return await ask.import_file(ROWS, id="EXTERNAL_ID", mail="EMAIL", born="BIRTHDAY", town="CITY")


async def _export_it(ask: Asking) -> None:
    segment = (await ask(SEGMENT))["createSegment"]["id"]
    await _until(ask, segment, "READY")
    for fields in (["externalId", "email"], ["firstName", "note"]):
        made = (await ask(EXPORT, list=segment, fields=fields))["exportList"]["export"]
        await _until(ask, made["id"], "DONE")


async def _tell_it(ask: Asking) -> None:
    """An automation puts the person into the outbox. Nobody answers where the message goes."""
    segment = (await ask('{ segment(by: {name: "Everybody"}) { id } }'))["segment"]["id"]
    endpoint = (await ask(ENDPOINT))["createWebhookEndpoint"]["endpoint"]["id"]
    await ask(AUTOMATION, segment=segment, endpoint=endpoint)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await ask(DISCLOSE))["exportSubscriber"]["data"]["webhookChanges"]:  # noqa: ASYNC110  # another process works
            await asyncio.sleep(0.2)


async def _until(ask: Asking, id_: str, state: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while state not in (await ask(READY, id=id_))["node"].values():  # noqa: ASYNC110  # another process works
            await asyncio.sleep(0.1)


async def _until_files_are_gone(product: Product) -> None:
    """The sweep comes every few seconds."""
    connection = await asyncpg.connect(product.database_url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await connection.fetchval(  # noqa: ASYNC110  # another process sweeps
                "SELECT (SELECT count(*) FROM import_chunks) + (SELECT count(*) FROM export_chunks)"
            ):
                await asyncio.sleep(0.2)
    finally:
        await connection.close()


async def _found(product: Product) -> list[str]:
    """Where a canary is, of all that is kept."""
    kept = [*await _dumped(product), *await _remembered(product), *await asyncio.to_thread(_logged, product)]
    return [
        f"{where}: {text[:200]}" for where, text in kept if any(canary in text.lower() for canary in CANARIES)
    ]


async def _dumped(product: Product) -> list[tuple[str, str]]:
    """Every row of every table as text, bytes as the text that they may be."""
    connection = await asyncpg.connect(product.database_url)
    try:
        tables = await connection.fetch(
            "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT LIKE 'zone\\_clocks%'"  # reference data, which have the zone Atlantic/Canary; a cluster has them again as a shard
        )
        rows = []
        for table in tables:
            for row in await connection.fetch(f"SELECT t FROM {table['name']} t"):
                values = [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in row["t"]]
                rows.append((table["name"], " ".join(values)))
        return rows
    finally:
        await connection.close()


async def _remembered(product: Product) -> list[tuple[str, str]]:
    """Every key of Valkey, and what it holds."""
    redis = Redis.from_url(product.redis_url)
    reads = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
    }
    try:
        found = []
        async for key in redis.scan_iter():
            kind = await redis.type(key)
            if kind != b"none":  # gone meanwhile
                found.append((f"Valkey {key!r}", f"{key!r} {await reads[kind](key)!r}"))
        return found
    finally:
        await redis.aclose()


def _logged(product: Product) -> list[tuple[str, str]]:
    """The logs of the product's processes."""
    return [
        (file.name, line)
        for file in Path(product.folder).rglob("*.log")
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
