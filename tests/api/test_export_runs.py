"""How the file of an export is written: from one snapshot, once, whatever is killed or erased meanwhile; and what an import makes of it."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from audience_gql.api import ids
from audience_gql.api.ids import Kind
from audience_gql.audience.exports.lifecycle import PIECE_BYTES
from audience_gql.audience.imports.lifecycle import receive_file, start_import
from audience_gql.audience.imports.plans import ColumnPlan, ImportPlan
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.audience.people import buckets
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.conditions.profile import NAMES
from audience_gql.conditions.vocabulary import CHANNELS
from audience_gql.storage import exports as storage
from tests.exporting import (
    ADA,
    ALL,
    STATE,
    define_fields,
    export,
    lines_of,
    number,
    rows_of,
    runner,
    stored,
    written,
)


@pytest.fixture
async def crowd(api):
    """A group of so many people that its file has several pieces."""
    group = await api.group("Crowd")
    for start in range(0, 3000, 1000):
        people = [
            {"externalId": f"{n}", "firstName": f"{n} " + "x" * 250, "addToGroupIds": [group]}
            for n in range(start, start + 1000)
        ]
        await api.upsert(*people)
    return group


CROWD = {f"{n}": f"{n} " + "x" * 250 for n in range(3000)}


def crowd_of(content: bytes) -> dict[str, str]:
    rows = rows_of(content)
    found = {row["externalId"]: row["firstName"] for row in rows}
    assert len(found) == len(rows)  # nobody is in it twice
    return found


async def test_a_file_shows_one_instant_whatever_is_written_meanwhile(api, crowd, monkeypatch):
    made = (await export(api, crowd, fields=["externalId", "firstName"]))["export"]["id"]
    chance, changed = random.Random(1), []
    advance = storage.advance

    async def disturbed(*arguments, **given):
        """Between two batches, people change, leave the list, and enter it."""
        if not given["is_last"]:
            changed.append(1)
            name = str(chance.randrange(3000))
            await api.upsert(
                {"externalId": name, "firstName": "changed"},
                {"externalId": str(chance.randrange(3000)), "removeFromGroupIds": [crowd]},
                {"externalId": f"new {len(changed)}", "addToGroupIds": [crowd]},
            )
        return await advance(*arguments, **given)

    monkeypatch.setattr(storage, "advance", disturbed)
    await runner(api, batch_rows=100).work_off(number(made))

    assert len(changed) >= 30
    assert crowd_of(await stored(api, made)) == CROWD


async def test_a_file_has_the_people_of_every_bucket(api, monkeypatch):
    monkeypatch.setattr(buckets, "PEOPLE_A_BUCKET", 640)
    monkeypatch.setattr(buckets, "_LOOK_EVERY", 64)
    group = await api.group("Crowd")
    names = {f"{n}" for n in range(2000)}
    for start in range(0, 2000, 500):
        await api.upsert(
            *({"externalId": f"{n}", "addToGroupIds": [group]} for n in range(start, start + 500))
        )

    rows = rows_of(await written(api, group, fields=["id", "externalId"]))

    assert len({(ids.decode(Kind.SUBSCRIBER, row["id"]) or ())[0] for row in rows}) >= 2
    assert sorted(row["externalId"] for row in rows) == sorted(names)


async def test_a_worker_that_is_killed_leaves_a_file_that_another_begins_again(api, crowd, monkeypatch):
    made = (await export(api, crowd, fields=["externalId", "firstName"]))["export"]["id"]
    advance = storage.advance

    async def killed(*arguments, **given):
        if given["position"]:
            raise asyncio.CancelledError
        return await advance(*arguments, **given)

    with monkeypatch.context() as patched:
        patched.setattr(storage, "advance", killed)
        with pytest.raises(asyncio.CancelledError):
            await runner(api, batch_rows=500).work_off(number(made))
    assert len(await stored(api, made)) == PIECE_BYTES

    other, jobs = runner(api), api.services.ports.jobs
    jobs.exports.clear()
    await other.work_off(number(made))  # the first worker may still live
    await other.sweep()
    too_early = (await api.data(STATE, id=made))["export"]["state"], number(made) in jobs.exports
    api.clock.advance(timedelta(seconds=21))
    await api.upsert({"externalId": "7", "removeFromGroupIds": [crowd]})
    await other.sweep()
    requested = number(made) in jobs.exports
    await other.work_off(number(made))

    assert too_early == ("RUNNING", False)
    assert requested
    assert crowd_of(await stored(api, made)) == {name: it for name, it in CROWD.items() if name != "7"}
    kept = await api.services.ports.database.fetch(
        "SELECT DISTINCT attempt FROM export_chunks WHERE export_id = $1", number(made)
    )
    assert [row["attempt"] for row in kept] == [2]


async def test_two_workers_do_not_write_one_file(api, crowd):
    made = (await export(api, crowd, fields=["externalId", "firstName"]))["export"]["id"]

    await asyncio.gather(*(runner(api).work_off(number(made)) for _ in range(3)))

    assert crowd_of(await stored(api, made)) == CROWD
    assert (
        await api.services.ports.database.fetchval("SELECT attempt FROM exports WHERE id = $1", number(made))
        == 1
    )


async def test_a_worker_writes_one_file_of_a_workspace_at_a_time(api, stranger, monkeypatch):
    group, theirs = await api.group("Friends"), await stranger.group("Friends")
    first, second = [number((await export(api, group))["export"]["id"]) for _ in range(2)]
    other = number((await export(stranger, theirs))["export"]["id"])
    begin, is_begun, go_on, begun = storage.begin, asyncio.Event(), asyncio.Event(), list[int]()

    async def slow(connection, record, **given):
        begun.append(record.id)
        is_begun.set()
        if record.id == first:
            await go_on.wait()
        return await begin(connection, record, **given)

    monkeypatch.setattr(storage, "begin", slow)
    runs, jobs = runner(api), api.services.ports.jobs
    writing = asyncio.create_task(runs.work_off(first))
    await is_begun.wait()
    await runs.work_off(second)
    await runs.work_off(other)
    meanwhile = list(begun)
    jobs.exports.clear()
    go_on.set()
    await writing

    assert meanwhile == [first, other]
    assert second in jobs.exports  # requested again, because there is room now
    await runs.work_off(second)
    assert begun == [first, other, second]


async def test_a_file_that_is_never_finished_fails(api):
    group = await api.group("Friends")
    made = (await export(api, group))["export"]["id"]
    await api.services.ports.database.fetch(
        "UPDATE exports SET attempt = 20 WHERE id = $1 RETURNING id", number(made)
    )

    await runner(api).work_off(number(made))

    found = (await api.data(STATE, id=made))["export"]
    assert (found["state"], found["failure"]) == ("FAILED", "the file was begun 20 times and never finished")


# ---- erasure


async def erase(api, external_id):
    key = SubscriberKey(kind="externalId", value=external_id)
    await erase_subscriber(ports=api.services.ports, workspace=api.access.workspace, subscriber=key)


async def test_an_erasure_ends_the_files_of_its_workspace(api, stranger):
    group, theirs = await api.group("Friends"), await stranger.group("Friends")
    await api.upsert(
        {"externalId": "ada", "addToGroupIds": [group]}, {"externalId": "bob", "addToGroupIds": [group]}
    )
    await stranger.upsert({"externalId": "ada", "addToGroupIds": [theirs]})
    done = (await export(api, group))["export"]["id"]
    waiting = (await export(api, group, fields=["externalId"]))["export"]["id"]
    other = (await export(stranger, theirs))["export"]["id"]
    runs = runner(api)
    for made in (done, other):
        await runs.work_off(number(made))

    await erase(api, "ada")
    await runs.sweep()
    await runs.work_off(number(waiting))

    assert (await api.data(STATE, id=done))["export"]["state"] == "EXPIRED"
    assert await stored(api, done) == b""
    assert await stored(api, waiting) == b"externalId\r\nbob\r\n"
    assert b",ada," in await stored(stranger, other)


async def test_an_erasure_begins_a_file_again_that_is_being_written(api, crowd, monkeypatch):
    made = (await export(api, crowd, fields=["externalId", "firstName"]))["export"]["id"]
    advance, erased = storage.advance, list[str]()

    async def erasing(*arguments, **given):
        if given["position"] and not erased:
            erased.append("7")
            await erase(api, "7")
        return await advance(*arguments, **given)

    monkeypatch.setattr(storage, "advance", erasing)
    runs = runner(api, batch_rows=500)
    await runs.work_off(number(made))
    interrupted = (await api.data(STATE, id=made))["export"]["state"]
    await runs.sweep()
    left = await stored(api, made)
    await runs.work_off(number(made))

    assert (interrupted, left) == ("WAITING", b"")
    assert crowd_of(await stored(api, made)) == {name: it for name, it in CROWD.items() if name != "7"}


async def test_no_snapshot_is_taken_while_an_erasure_is_under_way(api, monkeypatch):
    """An erasure that has looked for files already, and has not committed yet, would otherwise miss a file that is begun now."""
    group = await api.group("Friends")
    await api.upsert({"externalId": "ada", "addToGroupIds": [group]})
    forget, looked, go_on = storage.forget_files, asyncio.Event(), asyncio.Event()

    async def slow(*arguments):
        await forget(*arguments)
        looked.set()
        await go_on.wait()

    monkeypatch.setattr(storage, "forget_files", slow)
    made = (await export(api, group, fields=["externalId"]))["export"]["id"]
    erasing = asyncio.create_task(erase(api, "ada"))
    await looked.wait()
    writing = asyncio.create_task(runner(api).work_off(number(made)))
    await asyncio.sleep(0.3)  # long enough for a file of one row
    before = (await api.data(STATE, id=made))["export"]["state"]
    go_on.set()
    await asyncio.gather(erasing, writing)

    assert before == "WAITING"
    assert await stored(api, made) == b"externalId\r\n"


# ---- back again


async def test_an_exported_file_imports_as_it_was(api, stranger):
    await define_fields(api)
    await define_fields(stranger)
    group = await api.group("All")
    strange: list[dict[str, Any]] = [
        {"externalId": "1", "firstName": "\ufeffBOM", "fields": [{"key": "tags", "value": ["a;b", "c"]}]},
        {"externalId": "2", "firstName": '"', "fields": [{"key": "tags", "value": ['["x"]']}]},
        {"externalId": "3", "lastName": "a,b", "fields": [{"key": "tags", "value": []}, {"key": "score", "value": 1e22}]},
        {"externalId": "4", "city": "'x'", "fields": [{"key": "score", "value": 1.5e-7}, {"key": "is_vip", "value": False}]},
        {"externalId": "5", "region": "\x1a", "fields": [{"key": "note", "value": "\ufeff\u2028x\n\n,"}]},
    ]  # fmt: skip
    await api.upsert(*({**it, "addToGroupIds": [group]} for it in (ADA, *strange)))
    names = [name for name in ALL if name not in ("id", "createdAt", "updatedAt", "enteredAt")]
    names = ["firstName", *(name for name in names if name != "firstName")]  # a byte order mark begins a row

    content = await written(api, group, fields=names)
    rejects = await _import_file(stranger, content, names)
    copied = await stranger.group("Copied")
    await stranger.upsert(
        *({"externalId": it["externalId"], "addToGroupIds": [copied]} for it in (ADA, *strange))
    )

    assert rejects == 0
    first, second = [
        sorted(lines_of(await written(it, of_it, fields=names, format="NDJSON")), key=lambda row: row["externalId"])
        for it, of_it in ((api, group), (stranger, copied))
    ]  # fmt: skip
    assert first == second
    assert len(first) == 6
    assert sorted(rows_of(content), key=str) == sorted(
        rows_of(await written(stranger, copied, fields=names)), key=str
    )


async def _import_file(api, content: bytes, names: list[str]) -> int:
    def kind(name):
        return "profile" if name in NAMES else "channel" if name in CHANNELS else "field"

    columns = tuple(
        ColumnPlan(header=name, kind=kind(name), target=name.removeprefix("field:")) for name in names
    )
    ports, workspace = api.services.ports, api.access.workspace
    plan = ImportPlan(columns=columns)
    made, secret = await start_import(ports=ports, workspace=workspace, plan=plan, dry_run=False)

    async def parts():
        yield content

    await receive_file(ports=ports, import_id=made.id, secret=secret, content=parts())
    await ImportRunner(ports).work_off(made.id)
    found = await ports.database.fetchrow("SELECT state, rejected FROM imports WHERE id = $1", made.id)
    assert found["state"] == "DONE"
    return found["rejected"]
