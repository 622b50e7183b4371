"""The download of an exported file over real HTTP: whole, in parts, again after a break, and while it is being written."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from audience_gql.audience.exports.lifecycle import PIECE_BYTES
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.testing import MemorySignals
from audience_gql.storage import exports as storage
from tests.api.conftest import new_workspace, served_by
from tests.exporting import STATE, export, number, rows_of, runner, stored

FIELDS = ["externalId", "firstName"]
NAMES = [f"{n}" for n in range(2500)]


async def gathered(api) -> str:
    """A new group whose file has three pieces."""
    api.clock.instant = datetime.now(UTC)  # the web process has the clock of the database
    group = await api.group('Crowd "1"/é')
    for start in range(0, len(NAMES), 1000):
        people = [
            {"externalId": name, "firstName": name.rjust(250, "x"), "addToGroupIds": [group]}
            for name in NAMES[start : start + 1000]
        ]
        await api.upsert(*people)
    return group


async def complete_file(api, group: str) -> tuple[str, bytes]:
    """The path of a file that is complete, and its content."""
    made = await export(api, group, fields=FIELDS)
    await runner(api).work_off(number(made["export"]["id"]))
    return made["downloadUrl"], await stored(api, made["export"]["id"])


@pytest.fixture
async def crowd(served):
    return await gathered(served)


@pytest.fixture
async def done(served, crowd):
    return await complete_file(served, crowd)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lasting(schema, database, tick_pool):
    """The path and the content of a complete file that all tests only read."""
    api = await new_workspace(schema, database, tick_pool, MemorySignals())
    return await complete_file(api, await gathered(api))


@pytest.fixture
async def web(server):
    async with httpx.AsyncClient(base_url=server.url, timeout=40) as client:
        yield client


async def test_a_whole_file(web, lasting):
    path, content = lasting

    answer = await web.get(path)

    assert len(content) > 2 * PIECE_BYTES
    assert (answer.status_code, answer.content) == (200, content)
    headers = {name: answer.headers[name] for name in (
        "content-type", "content-length", "accept-ranges", "etag", "cache-control", "referrer-policy", "x-content-type-options",
        "content-disposition",
    )}  # fmt: skip
    assert headers == {
        "content-type": "text/csv; charset=utf-8; header=present", "content-length": str(len(content)), "accept-ranges": "bytes",
        "etag": '"1"', "cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff",
        "content-disposition": "attachment; filename=\"Crowd _1___.csv\"; filename*=UTF-8''Crowd%20_1__%C3%A9.csv",
    }  # fmt: skip


async def test_head_tells_the_size_and_sends_nothing(web, lasting):
    path, content = lasting

    answer = await web.head(path, headers={"range": "bytes=5-9"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(content))


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-", 0, None),
        ("bytes=7-", 7, None),
        (f"bytes={PIECE_BYTES - 1}-", PIECE_BYTES - 1, None),
        (f"bytes={PIECE_BYTES}-", PIECE_BYTES, None),
        (f"bytes=100-{PIECE_BYTES + 5}", 100, PIECE_BYTES + 6),
        ("bytes=3-3", 3, 4),
        ("bytes=5-999999999", 5, None),
        ("Bytes=-10", -10, None),
        ("bytes=-999999999", 0, None),
    ],
)
async def test_a_part(web, lasting, wanted, start, stop):
    path, content = lasting

    answer = await web.get(path, headers={"range": wanted})

    expected = content[start:stop]
    first = start % len(content)
    assert (answer.status_code, answer.content) == (206, expected)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(content)}"
    assert answer.headers["content-length"] == str(len(expected))


@pytest.mark.parametrize(
    "wanted", ["bytes=5-2", "bytes=x", "lines=1-2", "bytes=0-1,4-5", "bytes=", "bytes=-"]
)
async def test_a_range_that_is_none_gives_the_whole_file(web, lasting, wanted):
    path, content = lasting

    answer = await web.get(path, headers={"range": wanted})

    assert (answer.status_code, answer.content) == (200, content)


async def test_a_part_beyond_the_end(web, lasting):
    path, content = lasting

    answers = [await web.get(path, headers={"range": it}) for it in (f"bytes={len(content)}-", "bytes=-0")]

    for answer in answers:
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{len(content)}"


@pytest.mark.parametrize(
    ("version", "status"),
    [('"1"', 206), ('"2"', 200), ('W/"1"', 200), ("Sun, 01 Mar 2026 12:00:00 GMT", 200)],
)
async def test_a_part_of_another_version_is_not_sent(web, lasting, version, status):
    path, content = lasting

    answer = await web.get(path, headers={"range": "bytes=9-", "if-range": version})

    assert (answer.status_code, answer.content) == (status, content[9:] if status == 206 else content)


async def test_a_file_that_was_begun_twice_is_continued_only_by_its_version(served, web, crowd):
    made = await export(served, crowd, fields=FIELDS)
    await served.services.ports.database.fetch(
        "UPDATE exports SET attempt = 1 WHERE id = $1 RETURNING id", number(made["export"]["id"])
    )
    await runner(served).work_off(number(made["export"]["id"]))

    without = await web.get(made["downloadUrl"], headers={"range": "bytes=9-"})
    with_it = await web.get(made["downloadUrl"], headers={"range": "bytes=9-", "if-range": '"2"'})

    assert (without.status_code, with_it.status_code) == (200, 206)
    assert without.content[9:] == with_it.content


async def test_what_is_no_address_is_not_found(served, stranger, web, done):
    path, _ = done
    export_id, secret = path.split("/")[2:]
    stranger.clock.instant = served.clock.instant
    other = await export(stranger, await stranger.group("Friends"))

    paths = [f"{path}x", f"/exports/{export_id}/x", f"/exports/exp_x/{secret}", f"/exports/imp_AQ/{secret}",
             f"/exports/{other['export']['id']}/{secret}"]  # fmt: skip

    assert [(await web.get(it)).status_code for it in paths] == [404] * 5
    assert (await web.post(path)).status_code == 405
    assert (await web.post(path)).headers["allow"] == "GET, HEAD"


async def test_a_file_that_has_ended_is_not_found(served, web, done, crowd):
    path, _ = done
    made = await export(served, crowd)
    await served.data(
        "mutation ($id: ID!) { expireExport(input: {id: $id}) { __typename } }", id=made["export"]["id"]
    )
    served.clock.advance(-timedelta(hours=25))
    old = await export(served, crowd)
    before = await web.get(path)

    await _erase(served, "7")

    assert before.status_code == 200
    for ended in (path, made["downloadUrl"], old["downloadUrl"]):
        assert (await web.get(ended)).status_code == 404


async def test_an_export_that_failed_says_why(served, web):
    served.clock.instant = datetime.now(UTC)
    group = await served.group("Friends")
    made = await export(served, group)
    await served.data("mutation ($id: ID!) { deleteGroup(input: {id: $id}) { __typename } }", id=group)
    await runner(served).work_off(number(made["export"]["id"]))

    answer = await web.get(made["downloadUrl"])

    assert (answer.status_code, answer.json()) == (
        409, {"error": "the export failed: the list was deleted before its members were read"},
    )  # fmt: skip


async def _erase(served, external_id):
    key = SubscriberKey(kind="externalId", value=external_id)
    await erase_subscriber(ports=served.services.ports, workspace=served.access.workspace, subscriber=key)


# ---- while the file is being written


@pytest.fixture
def held(monkeypatch):
    """Holds the worker before it stores anything after the first piece, until the event is set."""
    go_on, advance = asyncio.Event(), storage.advance

    async def slow(*arguments, **given):
        if given["position"]:
            await go_on.wait()
        return await advance(*arguments, **given)

    monkeypatch.setattr(storage, "advance", slow)
    return go_on


async def _has_bytes(served, export_id):
    async with asyncio.timeout(30):
        while not (await served.data(STATE, id=export_id))["export"]["bytes"]:  # noqa: ASYNC110  # another task writes
            await asyncio.sleep(0.02)


async def test_a_download_begins_before_the_file_is_complete(served, web, crowd, held):
    made = await export(served, crowd, fields=FIELDS)
    id_, received = made["export"]["id"], b""
    downloading = asyncio.create_task(_first_piece(web, made["downloadUrl"]))
    await asyncio.sleep(0.3)  # the answer waits for a worker
    writing = asyncio.create_task(runner(served, batch_rows=500).work_off(number(id_)))

    answer, parts, received = await downloading
    before = (await served.data(STATE, id=id_))["export"]["state"]
    held.set()
    async for part in parts:
        received += part
    await answer.aclose()
    await writing

    assert "content-length" not in answer.headers
    assert before == "RUNNING"
    assert received == await stored(served, id_)
    assert {row["externalId"] for row in rows_of(received)} == {*NAMES}


async def _first_piece(web, path):
    """The answer, its other parts, and what has arrived."""
    answer = await web.send(web.build_request("GET", path), stream=True)
    parts, received = answer.aiter_raw(), b""
    while len(received) < PIECE_BYTES:
        received += await anext(parts)
    return answer, parts, received


async def test_parts_while_the_file_is_being_written(served, web, crowd, held):
    made = await export(served, crowd, fields=FIELDS)
    id_, path = made["export"]["id"], made["downloadUrl"]
    writing = asyncio.create_task(runner(served, batch_rows=500).work_off(number(id_)))
    await _has_bytes(served, id_)

    head = await web.head(path)
    within = await web.get(path, headers={"range": "bytes=10-19"})
    to_the_end = asyncio.create_task(web.get(path, headers={"range": "bytes=10-"}))
    done, _ = await asyncio.wait([to_the_end], timeout=0.5)
    held.set()
    rest = await to_the_end
    await writing

    content = await stored(served, id_)
    assert "content-length" not in head.headers
    assert (within.status_code, within.content) == (206, content[10:20])
    assert within.headers["content-range"] == "bytes 10-19/*"
    assert not done  # the last byte of a part must be named, and was not known
    assert (rest.status_code, rest.content) == (206, content[10:])
    assert rest.headers["content-range"] == f"bytes 10-{len(content) - 1}/{len(content)}"


async def test_a_download_is_cut_off_when_its_file_ends(served, web, crowd, held):
    made = await export(served, crowd, fields=FIELDS)
    id_ = made["export"]["id"]
    writing = asyncio.create_task(runner(served, batch_rows=500).work_off(number(id_)))
    await _has_bytes(served, id_)

    answer, parts, received = await _first_piece(web, made["downloadUrl"])
    await _erase(served, "7")
    with pytest.raises(httpx.RemoteProtocolError):
        await anext(parts)
    await answer.aclose()
    held.set()
    await writing
    await runner(served).work_off(number(id_))
    again = await web.get(
        made["downloadUrl"], headers={"range": f"bytes={PIECE_BYTES}-", "if-range": answer.headers["etag"]}
    )

    assert again.status_code == 200
    assert len(received) == PIECE_BYTES
    assert {row["externalId"] for row in rows_of(again.content)} == {*NAMES} - {"7"}


# ---- slow readers


@pytest.fixture
async def large(served, done):
    """The path of a file of 40 pieces, which no buffers on the way can hold."""
    path, _ = done
    content = random.Random(1).randbytes(PIECE_BYTES)
    await served.services.ports.database.fetch(
        "WITH e AS (UPDATE exports SET bytes = 40 * $2::bigint WHERE workspace_id = $1 RETURNING id), "
        "d AS (DELETE FROM export_chunks c USING e WHERE c.export_id = e.id AND c.position > 2 * $2::bigint) "
        "INSERT INTO export_chunks (export_id, attempt, position, content) "
        "SELECT e.id, 1, n * $2::bigint, $3 FROM e, generate_series(3, 39) AS n",
        served.access.workspace.id,
        PIECE_BYTES,
        content,
    )
    await served.services.ports.database.fetch(
        "UPDATE export_chunks c SET content = $2 FROM exports e "
        "WHERE e.workspace_id = $1 AND c.export_id = e.id RETURNING c.position",
        served.access.workspace.id,
        content,
    )
    return path, content * 40


async def _slow(server, path):
    """A connection that asks for a file and does not read yet."""
    address = urlsplit(server.url)
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.setblocking(False)
    await asyncio.get_running_loop().sock_connect(link, (address.hostname, address.port))
    reader, writer = await asyncio.open_connection(sock=link, limit=4096)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    return reader, writer


def _resident_megabytes(process_id):
    (line,) = [
        it for it in Path(f"/proc/{process_id}/status").read_text().splitlines() if it.startswith("VmRSS")
    ]
    return int(line.split()[1]) / 1024


@pytest.mark.slow
async def test_slow_readers_hold_no_connection_and_little_memory(server, web, large):
    path, content = large
    assert (await web.get(path)).content == content
    before = _resident_megabytes(server.process.pid)

    slow = [await _slow(server, path) for _ in range(15)]  # the pool has ten connections
    await asyncio.sleep(1)
    others = [(await web.get(path)).status_code for _ in range(3)]
    grown = _resident_megabytes(server.process.pid) - before
    bodies = []
    for reader, writer in slow:
        bodies.append(await reader.read(-1))
        writer.close()

    assert others == [200] * 3
    assert grown < 40  # MB; the files have 150 MB together
    assert all(body == content for body in bodies)


@pytest.mark.faults
async def test_a_server_that_stops_cuts_off_and_another_one_continues(
    database_url, redis_url, web, large, tmp_path
):
    path, content = large
    async with served_by(database_url, redis_url, tmp_path / "one.log") as stopping:
        reader, writer = await _slow(stopping, path)
        received = await reader.readexactly(1000)
        stopping.process.terminate()
        async with asyncio.timeout(9):  # before it would cut everybody off
            await stopping.process.wait()
        with suppress(ConnectionResetError):
            while part := await reader.read(2**16):
                received += part
        writer.close()

    rest = await web.get(path, headers={"range": f"bytes={len(received)}-", "if-range": '"1"'})

    assert len(received) < len(content)
    assert (rest.status_code, received + rest.content) == (206, content)
