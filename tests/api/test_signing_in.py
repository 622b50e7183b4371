"""Links that sign in once: codes, the place in Redis where they are kept, and the two requests of the web process."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from audience_gql.audience.signing_in import CodeRefused, CodesAway, TooManyCodes, issue_code, redeem_code
from audience_gql.client import NotAnswered, sign_in_link
from audience_gql.config import Client
from audience_gql.messaging.sign_in_codes import RedisCodes
from tests.api.conftest import served_by
from tests.patience import PATIENCE_SECONDS

OURS = "audience:sign-in:*"
TOKEN = "agq_ABCDEFGH_0123456789012345678901234567890A"


@pytest_asyncio.fixture(loop_scope="session")
async def codes(redis_url):
    async with Redis.from_url(redis_url) as redis:
        for key in await redis.keys(OURS):
            await redis.delete(key)
    kept = RedisCodes(redis_url)
    yield kept
    await kept.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def redis(redis_url):
    async with Redis.from_url(redis_url) as redis:
        yield redis


async def test_a_code_gives_its_token_once(codes):
    code = await issue_code(codes=codes, token=TOKEN)

    assert await redeem_code(codes=codes, code=code) == TOKEN
    with pytest.raises(CodeRefused):
        await redeem_code(codes=codes, code=code)


async def test_of_many_who_bring_a_code_at_once_one_gets_the_token(codes, redis_url):
    code = await issue_code(codes=codes, token=TOKEN)
    others = [RedisCodes(redis_url) for _ in range(5)]  # as in other web processes

    found = await asyncio.gather(*(redeem_code(codes=it, code=code) for it in others), return_exceptions=True)

    assert found.count(TOKEN) == 1
    assert sum(isinstance(it, CodeRefused) for it in found) == 4
    await asyncio.gather(*(it.aclose() for it in others))


async def test_another_code_gives_nothing_and_uses_nothing_up(codes):
    code = await issue_code(codes=codes, token=TOKEN)

    with pytest.raises(CodeRefused):
        await redeem_code(codes=codes, code=f"{code}x")

    assert await redeem_code(codes=codes, code=code) == TOKEN


async def test_a_code_is_forgotten_after_ten_minutes(codes, redis):
    await issue_code(codes=codes, token=TOKEN)

    lifetimes = [await redis.ttl(key) for key in await redis.keys(OURS)]

    assert len(lifetimes) == 2  # the code, and how many the token had
    assert all(590 < it <= 600 for it in lifetimes)


async def test_who_reads_redis_finds_neither_the_code_nor_the_token(codes, redis):
    code = await issue_code(codes=codes, token=TOKEN)

    keys = await redis.keys(OURS)
    kept = b" ".join([*keys, *[await redis.get(key) for key in keys]])

    assert code.encode() not in kept
    assert TOKEN.encode() not in kept


async def test_a_token_gets_only_so_many_codes(codes):
    for _ in range(20):
        await issue_code(codes=codes, token=TOKEN)

    with pytest.raises(TooManyCodes):
        await issue_code(codes=codes, token=TOKEN)

    await issue_code(codes=codes, token=TOKEN.replace("A", "B"))


async def test_without_redis_there_are_no_codes():
    codes = RedisCodes("redis://127.0.0.1:1/0")

    with pytest.raises(CodesAway):
        await issue_code(codes=codes, token=TOKEN)
    with pytest.raises(CodesAway):
        await redeem_code(codes=codes, code="x")

    await codes.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(database_url, redis_url, tmp_path_factory):
    log = tmp_path_factory.mktemp("signing in") / "web.log"
    async with served_by(database_url, redis_url, log) as started:
        yield started


async def test_a_link_has_a_code_behind_its_hash_that_is_exchanged_once(server, api):
    token = await api.token()
    link = await asyncio.to_thread(sign_in_link, Client(url=f"{server.url}/graphql", token=token))
    page, _, code = link.partition("#")
    assert page == f"{server.url}/sign-in"
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as browser:
        first = await browser.post("/sign-in/token", json={"code": code})
        second = await browser.post("/sign-in/token", json={"code": code})

    assert (first.status_code, first.json()) == (200, {"token": token})
    assert first.headers["cache-control"] == "no-store"
    assert second.status_code == 410
    assert "was used already" in second.json()["error"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b'{"code": "x"}'),  # which a page of another origin may send without being asked
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'{"code": 1}'),
        ("application/json", '{"code": "\u00e9"}'.encode()),
        ("application/json", b'{"code": "' + b"x" * 1000 + b'"}'),
    ],
)
async def test_what_has_no_code_is_refused(server, content_type, body):
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as browser:
        answer = await browser.post("/sign-in/token", content=body, headers={"content-type": content_type})

    assert answer.status_code == 400
    assert answer.json() == {"error": 'send {"code": "…"} as application/json'}


async def test_a_token_that_opens_nothing_gets_no_link(server):
    with pytest.raises(NotAnswered, match=r"401.*send a good token"):
        await asyncio.to_thread(sign_in_link, Client(url=f"{server.url}/graphql", token="agq_nobody"))


async def test_a_token_that_had_too_many_links_is_told_when_to_ask_again(server, api):
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client:
        answers = [await client.post("/sign-in/code") for _ in range(21)]

    assert [it.status_code for it in answers] == [200] * 20 + [429]
    assert answers[-1].headers["retry-after"] == "600"


@pytest.mark.slow
async def test_without_redis_a_link_is_refused(database_url, api, tmp_path):
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with (
        served_by(database_url, "redis://127.0.0.1:1/0", tmp_path / "web.log") as server,
        httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client,
    ):
        answers = [
            await client.post("/sign-in/code"),
            await client.post("/sign-in/token", json={"code": "x"}),
        ]

    assert [it.status_code for it in answers] == [503, 503]
    assert all("sign in with a token" in it.json()["error"] for it in answers)


@pytest.mark.slow
async def test_without_the_console_there_are_no_links(database_url, redis_url, api, tmp_path):
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with (
        served_by(database_url, redis_url, tmp_path / "web.log", AUDIENCE_PAGES="playground") as server,
        httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url, headers=headers) as client,
    ):
        answers = [await client.post("/sign-in/code"), await client.get("/"), await client.get("/sign-in")]

    assert [it.status_code for it in answers] == [404, 404, 404]
