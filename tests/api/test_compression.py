"""When an answer is compressed, and that it is the same answer."""

from __future__ import annotations

import asyncio
import gzip
import random

import httpx
import pytest

from audience_gql.api.transport.compression import ASIDE_BYTES, LEAST_BYTES, compressed
from tests.patience import PATIENCE_SECONDS

BODY = b'{"data":{"people":[%s]}}' % b",".join(b'{"id":"sub_%d"}' % number for number in range(500))


@pytest.mark.parametrize(
    "accepted",
    ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.5", "*", "*;q=0.1", "x-gzip", "deflate ,gzip ;q=0.001", "gzip;level=9"],
)  # fmt: skip
async def test_an_answer_is_compressed_for_who_accepts_it(accepted):
    body, headers = await compressed(BODY, accepted)

    assert headers == ((b"content-encoding", b"gzip"), (b"vary", b"accept-encoding"))
    assert len(body) < len(BODY) / 4
    assert gzip.decompress(body) == BODY


@pytest.mark.parametrize(
    "accepted", ["", "identity", "br, deflate", "gzip;q=0", "gzip;q=0, *", "*;q=0", "gzip;q=much", "gzipped"]
)
async def test_and_not_for_others(accepted):
    assert await compressed(BODY, accepted) == (BODY, ((b"vary", b"accept-encoding"),))


async def test_a_small_answer_stays_as_it_is():
    small = b"x" * (LEAST_BYTES - 1)

    assert await compressed(small, "gzip") == (small, ())
    assert gzip.decompress((await compressed(small + b"x", "gzip"))[0]) == small + b"x"


async def test_the_same_answer_is_always_the_same_bytes():
    assert await compressed(BODY, "gzip") == await compressed(BODY, "gzip")


async def test_others_go_on_while_a_very_large_answer_is_compressed():
    body = random.Random(1).randbytes(8 * ASIDE_BYTES)
    compressing = asyncio.create_task(compressed(body, "gzip"))

    rounds = 0
    while not compressing.done():
        rounds += 1
        await asyncio.sleep(0)

    assert rounds > 2, "the event loop had no other round"
    assert gzip.decompress((await compressing)[0]) == body


async def test_clients_that_accept_it_get_large_answers_compressed(server, api):
    await api.upsert(*({"externalId": str(number)} for number in range(100)))
    headers = {"authorization": f"Bearer {await api.token()}"}
    document = "{ subscribers(first: %d) { edges { node { id externalId } } } }"

    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client:

        async def ask(people: int, **headers: str) -> httpx.Response:
            return await client.post("/graphql", json={"query": document % people}, headers=headers)

        large, plain, small = await ask(100), await ask(100, **{"accept-encoding": "identity"}), await ask(1)
        streamed = await ask(100, accept="text/event-stream")

    assert large.headers["content-encoding"] == "gzip"
    assert int(large.headers["content-length"]) < len(large.content) / 2
    assert large.json() == plain.json()
    assert len(large.json()["data"]["subscribers"]["edges"]) == 100
    for answer in (plain, small, streamed):
        assert "content-encoding" not in answer.headers
    assert large.headers["vary"] == plain.headers["vary"] == "accept-encoding"
