"""Files of people: rows, rejects by line, and an import that goes on where it was."""

from __future__ import annotations

import asyncio

import pytest

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.failures import InvalidInput, NotFound
from audience_gql.audience.imports import runner as import_runner
from audience_gql.audience.imports.lifecycle import (
    PIECE_BYTES,
    AlreadyUploaded,
    cancel_import,
    receive_file,
    start_import,
)
from audience_gql.audience.imports.plans import BadCell, ColumnPlan, ImportPlan
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage import imports
from audience_gql.storage.reads.slices import Slice

NAMED = (
    ColumnPlan(header="id", kind="profile", target="externalId"),
    ColumnPlan(header="mail", kind="profile", target="email"),
    ColumnPlan(header="town", kind="profile", target="city"),
)


async def pieces(content: bytes, size: int = 50_000):
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def start(house, *columns, dry_run=False, **more):
    plan = ImportPlan(columns=columns or NAMED, **more)
    return await start_import(ports=house.ports, workspace=house.workspace, plan=plan, dry_run=dry_run)


async def upload(house, made, secret, content):
    await receive_file(ports=house.ports, import_id=made.id, secret=secret, content=pieces(content))


async def run(house, content, *columns, **more):
    made, secret = await start(house, *columns, **more)
    await upload(house, made, secret, content)
    await ImportRunner(house.ports).work_off(made.id)
    return await look(house, made)


async def look(house, made):
    return (await imports.imports_by_ids(house.ports.database, house.workspace.id, [made.id]))[made.id]


async def rejects(house, made):
    found = await imports.rejects(house.ports.database, house.workspace.id, made.id, Slice(100))
    return [(entry.node.line, entry.node.message) for entry in found]


async def people(house):
    rows = await house.ports.database.fetch(
        "SELECT external_id, email, city, fields FROM subscribers WHERE bucket_id = $1 ORDER BY external_id",
        house.bucket_id,
    )
    return [tuple(row)[:3] for row in rows]


async def marks(house):
    """The lanes of what is marked."""
    rows = await house.ports.database.fetch(
        "SELECT DISTINCT lane FROM dirty WHERE bucket_id = $1", house.bucket_id
    )
    return {row["lane"] for row in rows}


def figures(made):
    return made.state, made.rows_read, made.created, made.updated, made.rejected


async def test_rows_become_people_with_quotes_a_mark_of_order_and_blank_lines(house):
    content = '\ufeffid,mail,town\r\n1,Ada@x.org,"Saint\nDenis, FR"\r\n\r\n2,bob@x.org,\r\n'.encode()

    made = await run(house, content)

    assert figures(made) == ("DONE", 2, 2, 0, 0)
    assert made.fraction == 1.0
    assert await people(house) == [("1", "Ada@x.org", "Saint\nDenis, FR"), ("2", "bob@x.org", None)]
    assert await marks(house) == {1}


async def test_what_is_wrong_is_told_by_line_and_the_rest_goes_through(house):
    content = b'id,mail,town\n1,ada@x.org,"a\nb"\n2,no address,x\n3,c@x.org\n4,d@x.org,caf\xe9\n,,nobody\n6,f@x.org,z'

    made = await run(house, content)

    assert figures(made) == ("DONE", 6, 2, 0, 4)
    assert await rejects(house, made) == [
        (4, "email: 'no address' is no email address: An email address must have an @-sign."),
        (5, "2 cells, where the header has 3"),
        (6, "not UTF-8; save the file as UTF-8"),
        (7, "give at least one of id, externalId, email and phone"),
    ]


async def test_two_lines_about_one_person_are_applied_in_order(house):
    made = await run(house, b"id,mail,town\n1,a@x.org,Oslo\n1,a@x.org,Bergen\n")

    assert figures(made) == ("DONE", 2, 1, 0, 0)
    assert await people(house) == [("1", "a@x.org", "Bergen")]


async def test_columns_become_fields_channels_and_groups(house):
    group = await house.group("Guests")
    for key, type_ in (("score", "NUMBER"), ("tags", "LIST"), ("vip", "BOOLEAN")):
        await define_custom_field(
            ports=house.ports, workspace=house.workspace, key=key, label=key, type=type_
        )
    await house.upsert({"externalId": "2", "channels": [{"channel": "EMAIL", "status": "UNSUBSCRIBED"}]})
    columns = (
        ColumnPlan(header="id", kind="profile", target="externalId"),
        ColumnPlan(header="score", kind="field", target="score"),
        ColumnPlan(header="tags", kind="field", target="tags"),
        ColumnPlan(header="vip", kind="field", target="vip"),
        ColumnPlan(header="mail", kind="channel", target="EMAIL"),
        ColumnPlan(header="guest", kind="group", target=group.id),
    )
    content = b'id;score;tags;vip;mail;guest;unused\n1;1.5;"a; b";yes;active;true;\n2;;;;ACTIVE;;\n3;x;;;;;\n4;;;maybe;;;\n'

    made = await run(house, content, *columns, delimiter=";")

    assert figures(made) == ("DONE", 4, 1, 0, 3)
    assert [line for line, _ in await rejects(house, made)] == [3, 4, 5]
    fields = await house.ports.database.fetchval(
        "SELECT array_agg(v.value::text ORDER BY v.key::bigint) FROM subscribers s, jsonb_each(s.fields) v "
        "WHERE s.bucket_id = $1 AND s.external_id = '1'",
        house.bucket_id,
    )
    assert sorted(fields) == ["1.5", '["a", "b"]', "true"]
    assert (
        await house.ports.database.fetchval(
            "SELECT count(*) FROM group_members WHERE bucket_id = $1 AND group_id = $2",
            house.bucket_id,
            group.id,
        )
        == 1
    )
    assert (
        await house.ports.database.fetchval(
            "SELECT c.status FROM channel_states c JOIN subscribers s ON s.bucket_id = c.bucket_id AND s.id = c.subscriber_id "
            "WHERE c.bucket_id = $1 AND s.external_id = '2'",
            house.bucket_id,
        )
        == "UNSUBSCRIBED"
    )


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("-7", -7),
        ("+1.50", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_a_number_is_read_as_written(cell, value):
    column = ColumnPlan(header="score", kind="field", target="score")
    plan = ImportPlan(columns=(column,))
    fields = {"score": FieldRef(id=1, key="score", type="NUMBER")}

    read = plan.item(["score"], [cell], fields)

    assert read == {"fields": [{"key": "score", "value": value}]}


@pytest.mark.parametrize("cell", ["1_000", "1,000", "nan", "inf", "0x10", "1e", ".", "\u0661\u0662", "1 000"])
def test_what_is_no_number_is_refused(cell):
    column = ColumnPlan(header="score", kind="field", target="score")
    fields = {"score": FieldRef(id=1, key="score", type="NUMBER")}

    with pytest.raises(BadCell, match="expected a number"):
        ImportPlan(columns=(column,)).item(["score"], [cell], fields)


async def test_empty_cells_keep_unless_they_are_said_to_clear(house):
    await house.upsert({"externalId": "1", "email": "a@x.org", "city": "Oslo"})

    await run(house, b"id,mail,town\n1,,\n")
    kept = await people(house)
    await run(house, b"id,mail,town\n1,,\n", empty_clears=True)

    assert kept == [("1", "a@x.org", "Oslo")]
    assert await people(house) == [("1", None, None)]


async def test_a_dry_run_tells_all_and_writes_nothing(house):
    await house.upsert({"externalId": "1"})

    made = await run(house, b"id,mail,town\n1,a@x.org,x\n2,b@x.org,y\n3,b,z\n", dry_run=True)

    assert figures(made) == ("DONE", 3, 1, 1, 1)
    assert len(await rejects(house, made)) == 1
    assert await people(house) == [("1", None, None)]
    assert await marks(house) == {0}


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (b"", "the file is empty"),
        (b"id,mail\n1,a@x.org\n", "the header has no column 'town'; it has 'id', 'mail'"),
        (b"id,mail,town,id\n", "the header names 'id' twice"),
        ("id,mail,town\n".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        (b"id,mail,t\xf6wn\n", "line 1: not UTF-8; save the file as UTF-8"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_the_import(house, content, failure):
    made = await run(house, content)

    assert (made.state, made.failure) == ("FAILED", failure)
    assert await people(house) == []


async def test_a_quote_left_open_is_found_without_reading_the_file_into_memory(house):
    content = b'id,mail,town\n1,a@x.org,x\n2,b@x.org,"' + b"y\n" * 1_500_000

    made = await run(house, content)

    assert figures(made) == ("FAILED", 1, 1, 0, 0)
    assert made.failure == "line 3: not CSV: field larger than field limit (131072); is a quote left open?"


async def test_only_so_many_rejects_are_kept_and_all_are_counted(house):
    made = await run(house, b"id,mail,town\n" + b"1,bad,x\n" * 1_500)

    kept = await house.ports.database.fetchval(
        "SELECT count(*) FROM import_rejects WHERE import_id = $1", made.id
    )
    assert (made.rejected, kept) == (1_500, 1_000)


async def test_a_file_larger_than_a_window_is_read_once_and_its_pieces_go(house, monkeypatch):
    monkeypatch.setattr(import_runner, "_WINDOW_BYTES", PIECE_BYTES)
    rows = [f"{n},p{n}@x.org,{'x' * 400}\n" for n in range(2_500)]

    made = await run(house, b"id,mail,town\n" + "".join(rows).encode())

    assert figures(made) == ("DONE", 2_500, 2_500, 0, 0)
    await ImportRunner(house.ports).sweep()
    assert (
        await house.ports.database.fetchval(
            "SELECT count(*) FROM import_chunks WHERE import_id = $1", made.id
        )
        == 0
    )


async def test_a_worker_that_stops_between_batches_is_followed_by_another(house, monkeypatch):
    made, secret = await start(house)
    content = b"id,mail,town\n" + b"".join(b"%d,p%d@x.org,x\n" % (n, n) for n in range(2_500))
    await upload(house, made, secret, content)
    first = ImportRunner(house.ports)
    advance = imports.advance

    async def breaking(connection, import_id, **more):
        await advance(connection, import_id, **more)
        if (await imports.find(connection, import_id)).rows_read == 2_000:
            raise asyncio.CancelledError  # after the rows were written, before the commit

    monkeypatch.setattr(imports, "advance", breaking)
    with pytest.raises(asyncio.CancelledError):
        await first.work_off(made.id)
    monkeypatch.undo()
    halfway = await look(house, made)
    await ImportRunner(house.ports).work_off(made.id)

    assert figures(halfway) == ("RUNNING", 1_000, 1_000, 0, 0)
    assert figures(await look(house, made)) == ("DONE", 2_500, 2_500, 0, 0)


async def test_two_workers_at_once_write_every_row_once(house):
    made, secret = await start(house)
    content = b"id,mail,town\n" + b"".join(b"%d,p%d@x.org,x\n" % (n, n) for n in range(2_500))
    await upload(house, made, secret, content)

    await asyncio.gather(*(ImportRunner(house.ports).work_off(made.id) for _ in range(2)))
    await ImportRunner(house.ports).work_off(made.id)

    assert figures(await look(house, made)) == ("DONE", 2_500, 2_500, 0, 0)


async def test_an_upload_that_breaks_off_can_be_repeated_and_a_whole_one_cannot(house):
    made, secret = await start(house)

    async def broken():
        yield b"id,mail,town\n" + b"9" * 300_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await receive_file(ports=house.ports, import_id=made.id, secret=secret, content=broken())
    await ImportRunner(house.ports).work_off(made.id)
    assert figures(await look(house, made)) == ("WAITING", 0, 0, 0, 0)

    await upload(house, made, secret, b"id,mail,town\n1,a@x.org,x\n")
    with pytest.raises(AlreadyUploaded):
        await upload(house, made, secret, b"id,mail,town\n2,b@x.org,x\n")
    await ImportRunner(house.ports).work_off(made.id)
    assert figures(await look(house, made)) == ("DONE", 1, 1, 0, 0)
    assert house.jobs.imports == [made.id]


async def test_a_wrong_secret_finds_nothing(house):
    made, _ = await start(house)

    for import_id in (made.id, made.id + 1, None):
        with pytest.raises(NotFound):
            await receive_file(ports=house.ports, import_id=import_id, secret="x", content=pieces(b"id"))


async def test_a_cancelled_import_takes_no_file_and_writes_no_more(house):
    made, secret = await start(house)
    await upload(house, made, secret, b"id,mail,town\n1,a@x.org,x\n")

    cancelled = await cancel_import(ports=house.ports, workspace=house.workspace, import_id=made.id)
    await ImportRunner(house.ports).work_off(made.id)

    assert cancelled.state == "CANCELLED"
    assert await people(house) == []


async def test_a_plan_is_refused_with_everything_that_is_wrong(house):
    with pytest.raises(InvalidInput) as refused:
        await start(
            house,
            ColumnPlan(header="a", kind="field", target="nothing"),
            ColumnPlan(header="a", kind="group", target=1),
            delimiter="x",
            add_to_group_ids=(2,),
        )

    assert [(issue.code, issue.path[1:]) for issue in refused.value.issues] == [
        ("REQUIRED", ("columns",)),
        ("CONFLICT", ("columns", "1", "header")),
        ("MALFORMED", ("delimiter",)),
        ("UNKNOWN", ("columns", "0", "to", "field")),
        ("UNKNOWN", ("columns", "1", "to", "groupId")),
        ("UNKNOWN", ("addToGroupIds", "0")),
    ]
