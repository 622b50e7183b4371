"""Files of people: rows, rejects by line, and an import that goes on where it was."""

from __future__ import annotations

import asyncio
import gzip
import re
from datetime import timedelta
from pathlib import Path

import pytest

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.failures import InvalidInput, NotFound
from audience_gql.audience.imports import runner, windows
from audience_gql.audience.imports.headers import FILE_COLUMNS
from audience_gql.audience.imports.lifecycle import (
    FILE_BYTES,
    MESSAGE_DAYS,
    PIECE_BYTES,
    REJECTS_KEPT,
    AlreadyUploaded,
    cancel_import,
    receive_file,
    start_import,
)
from audience_gql.audience.imports.plans import COLUMNS_LIMIT, BadCell, ColumnPlan, ImportPlan, Layout
from audience_gql.audience.imports.records import (
    BROKEN_QUOTE,
    OPEN_QUOTE,
    RECORD_BYTES,
    RECORD_LINES,
    TOO_LONG,
)
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import BATCH_LIMIT
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage.imports import import_files, import_messages, imports
from audience_gql.storage.reads.slices import Slice

NAMED = (
    ColumnPlan(header="id", kind="profile", target="externalId"),
    ColumnPlan(header="mail", kind="profile", target="email"),
    ColumnPlan(header="town", kind="profile", target="city"),
)


async def pieces(content: bytes, size: int = 50_000):
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def start(house, *columns, dry_run=False, file_name=None, **more):
    plan = ImportPlan(columns=columns or NAMED, **more)
    return await start_import(
        ports=house.ports, workspace=house.workspace, plan=plan, dry_run=dry_run, file_name=file_name
    )


async def upload(house, made, secret, content):
    await receive_file(ports=house.ports, import_id=made.id, secret=secret, content=pieces(content))


async def run(house, content, *columns, **more):
    made, secret = await start(house, *columns, **more)
    await upload(house, made, secret, content)
    await ImportRunner(house.ports).work_off(made.id)
    return await look(house, made)


async def look(house, made):
    return (await imports.imports_by_ids(house.ports.database, house.workspace.id, [made.id]))[made.id]


async def rejects(house, made, *, are_notices=False):
    found = await import_messages.rejects(
        house.ports.database, house.workspace.id, made.id, Slice(100), are_notices=are_notices
    )
    return [(node.line, node.message) for node in found.nodes]


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
    content = '\ufeffid,mail,town\r\n1,Ada@x.org,"Saint Denis, FR"\r\n\r\n2,bob@x.org,\r\n'.encode()

    made = await run(house, content)

    assert figures(made) == ("DONE", 2, 2, 0, 0)
    assert made.fraction == 1.0
    assert await people(house) == [("1", "Ada@x.org", "Saint Denis, FR"), ("2", "bob@x.org", None)]
    assert await marks(house) == {1}


async def test_what_is_wrong_is_told_by_line_and_the_rest_goes_through(house):
    content = b'id,mail,town\n1,ada@x.org,"a\nb"\n2,no address,x\n3,c@x.org,x,y\n4,d@x.org,caf\xe9\n,,nobody\n6,f@x.org,z'

    made = await run(house, content)

    assert figures(made) == ("DONE", 6, 1, 0, 5)
    assert await rejects(house, made) == [
        (2, "city: must be one line of plain text, without U+000A"),
        (4, "email: 'no address' is not an email address: An email address must have an @-sign."),
        (5, "the row has 4 cells, but the header has 3"),
        (6, "not UTF-8; save the file as UTF-8"),
        (7, "give at least one of id, externalId, email and phone"),
    ]


async def test_a_row_is_written_but_for_the_channels_of_somebody_who_refused(house, monkeypatch):
    monkeypatch.setattr(runner, "REJECTS_KEPT", 2)
    refused = [{"channel": channel, "status": "UNSUBSCRIBED"} for channel in ("EMAIL", "SMS")]
    await house.upsert(*({"externalId": str(n), "channels": refused} for n in range(3)))
    columns = (
        *NAMED,
        ColumnPlan(header="news", kind="channel", target="EMAIL"),
        ColumnPlan(header="text", kind="channel", target="SMS"),
    )
    content = b"id,mail,town,news,text\n" + b"".join(b"%d,,Oslo,ACTIVE,ACTIVE\n" % n for n in range(3))

    made = await run(house, content, *columns)

    assert (figures(made), made.noticed) == (("DONE", 3, 0, 3, 0), 3)
    said = "; ".join(
        f"{it} stays UNSUBSCRIBED: only setChannelStatus may change that" for it in ("EMAIL", "SMS")
    )
    assert await rejects(house, made, are_notices=True) == [(2, said), (3, said)]
    assert await rejects(house, made) == []
    assert {town for _, _, town in await people(house)} == {"Oslo"}


async def test_a_notice_goes_with_its_person(house):
    await house.upsert({"externalId": "1", "channels": [{"channel": "EMAIL", "status": "BOUNCED"}]})
    columns = (*NAMED, ColumnPlan(header="news", kind="channel", target="EMAIL"))
    made = await run(house, b"id,mail,town,news\n1,,,ACTIVE\n", *columns)
    assert len(await rejects(house, made, are_notices=True)) == 1

    await erase_subscriber(
        ports=house.ports, workspace=house.workspace, subscriber=SubscriberKey(kind="externalId", value="1")
    )

    assert await rejects(house, made, are_notices=True) == []


async def test_two_lines_about_one_person_are_applied_in_order(house):
    made = await run(house, b"id,mail,town\n1,a@x.org,Oslo\n1,a@x.org,Bergen\n")

    assert figures(made) == ("DONE", 2, 1, 0, 0)
    assert await people(house) == [("1", "a@x.org", "Bergen")]


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ('["a;b", "c"]', ["a;b", "c"]),
        ("[]", []),
        ('["a;b"', ['["a', 'b"']),
        ("[1]", ["[1]"]),
        ('["a", null];b', ['["a", null]', "b"]),
        ("[" * 100_000, ["[" * 100_000]),
        ("a;[b]", ["a", "[b]"]),
    ],
    ids=["array", "empty", "open", "numbers", "more", "deep", "later"],
)
async def test_a_list_is_an_array_or_texts_between_semicolons(cell, texts):
    column = ColumnPlan(header="tags", kind="field", target="tags")
    plan = ImportPlan(columns=(column,))
    fields = {"tags": FieldRef(id=1, key="tags", type="LIST")}

    item = plan.item(Layout(places=[0], width=1), [cell], fields)

    assert item == {"fields": [{"key": "tags", "value": texts}]}


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

    assert figures(made) == ("DONE", 4, 1, 0, 2)
    assert [line for line, _ in await rejects(house, made)] == [4, 5]
    assert made.noticed == 1
    assert await rejects(house, made, are_notices=True) == [
        (3, "EMAIL stays UNSUBSCRIBED: only setChannelStatus may change that")
    ]
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

    read = plan.item(Layout(places=[0], width=1), [cell], fields)

    assert read == {"fields": [{"key": "score", "value": value}]}


@pytest.mark.parametrize("cell", ["1_000", "1,000", "nan", "inf", "0x10", "1e", ".", "\u0661\u0662", "1 000"])
def test_what_is_no_number_is_refused(cell):
    column = ColumnPlan(header="score", kind="field", target="score")
    fields = {"score": FieldRef(id=1, key="score", type="NUMBER")}

    with pytest.raises(BadCell, match="expected a number"):
        ImportPlan(columns=(column,)).item(Layout(places=[0], width=1), [cell], fields)


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
        (b" \n,,\n\n", "the file is empty"),
        (b"id,mail,town,id\n", "the header has 2 columns for 'id': 'id', 'id'; rename all but one"),
        (b"ID,mail,town,Id\n", "the header has 2 columns for 'id': 'ID', 'Id'; rename all but one"),
        (
            b"id;mail;town\n",
            "the header has no column 'id', 'mail', 'town', only 'id;mail;town'; is the delimiter ';'?",
        ),
        (
            b"id\tmail\ttown\n",
            "the header has no column 'id', 'mail', 'town', only 'id\\tmail\\ttown'; is the delimiter a tab?",
        ),
        (b'id,"mail,town\n1,a@x.org,x\n', f"line 1: {OPEN_QUOTE}"),
        (b'"id"x,mail,town\n1,a@x.org,x\n', f"line 1: {BROKEN_QUOTE}"),
        (b"id,mail,town" + b"," * FILE_COLUMNS, "the header has 16,387 columns; at most 16,384 are read"),
        (b"id,mail,town," + b"x" * RECORD_BYTES, f"line 1: {TOO_LONG}"),
        (b"id,mail,town," + b"x" * 3 * RECORD_BYTES + b"\n1,a@x.org,x\n", f"line 1: {TOO_LONG}"),
        (gzip.compress(b"id,mail,town\n", mtime=0), "the file is packed with gzip; unpack it first"),
        (
            b"PK\x03\x04rest",
            "the file is a spreadsheet (such as .xlsx) or a zip archive; save or unpack it as CSV",
        ),
        (
            "id,mail,town\n".encode("utf-16-le"),
            "line 1: the file contains U+0000, so it is not text; save it as CSV in UTF-8",
        ),
        ("id,mail,town\n".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        (b"id,mail,t\xf6wn\n", "line 1: not UTF-8; save the file as UTF-8"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_the_import(house, content, failure):
    made = await run(house, content)

    assert (made.state, made.failure) == ("FAILED", failure)
    assert await people(house) == []


async def test_a_quote_left_open_costs_one_line_and_no_memory(house):
    rows = b"".join(b"%d,p%d@x.org,x\n" % (n, n) for n in range(3, 1_500))
    content = b'id,mail,town\n1,a@x.org,x\n2,b@x.org,"x\n' + rows + b'1500,p@x.org,"x\n1501,q@x.org,x\n'

    made = await run(house, content)

    assert figures(made) == ("DONE", 1_501, 1_499, 0, 2)
    assert await rejects(house, made) == [(3, OPEN_QUOTE), (1_501, OPEN_QUOTE)]


async def test_a_giant_cell_is_passed_over_and_a_giant_record_is_one_reject(house):
    """Of a cell that no column wants, as much as a record may have is read; a longer line is passed over to its end, in pieces."""
    giant = b"y" * 3 * RECORD_BYTES
    content = (
        b"note,id,mail,town\r\n"
        + (b'"%s",1,a@x.org,x\r\n' % (b"y" * 500_000))
        + (b"%s,2,b@x.org,x\r\n" % giant)
        + (b"%s,3,c@x.org,x\r\n" % giant[: -len(giant) % PIECE_BYTES])
        + b"y,4,d@x.org,x\r\n"
        + giant
    )

    made = await run(house, content)

    assert figures(made) == ("DONE", 5, 3, 0, 2)
    assert await rejects(house, made) == [(3, TOO_LONG), (6, TOO_LONG)]
    assert [external_id for external_id, *_ in await people(house)] == ["1", "3", "4"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("beyond", range(-2, 3))
async def test_a_giant_line_ends_wherever_pieces_end(house, end, beyond):
    header = b"id,mail,town" + end
    size = 10 * PIECE_BYTES + beyond - len(header)
    content = header + b"y" * size + end + b"2,b@x.org,x" + end

    made = await run(house, content)

    assert figures(made) == ("DONE", 2, 1, 0, 1)
    assert (await rejects(house, made), made.lines_read) == ([(2, TOO_LONG)], 3)


@pytest.mark.slow
async def test_blank_rows_are_passed_over_however_many(house):
    """As spreadsheets leave them behind: more than a window is full of them."""
    content = b"\n;;\nid;mail;town\n" + b";;\r\n" * 700_000 + b'1;a@x.org;x\n""; ;\t\n' + b";;\r\n" * 3

    made = await run(house, content, delimiter=";")

    assert figures(made) == ("DONE", 1, 1, 0, 0)
    assert made.lines_read == 700_008


async def test_missing_cells_are_empty_and_surplus_empty_ones_are_nothing(house):
    made = await run(house, b"id,mail,town\n1\n2,b@x.org\n3,c@x.org,x,, ,\n4,d@x.org,x,,y\n")

    assert figures(made) == ("DONE", 4, 3, 0, 1)
    assert await rejects(house, made) == [(5, "the row has 5 cells, but the header has 3")]
    assert await people(house) == [("1", None, None), ("2", "b@x.org", None), ("3", "c@x.org", "x")]


@pytest.mark.parametrize(
    "header",
    [
        b"id,mail,town,x,x,,",  # what is not mapped may be called alike, or not at all
        " id , MAIL,\ufeffTown".encode(),
        b"id,mail,TOWN,town",  # exactly so goes first
        b'"id" ,"mail", "town"',
    ],
)
async def test_a_header_is_compared_as_people_write_it(house, header):
    more = b",y" if b"TOWN,town" in header else b""

    made = await run(house, header + b"\n1,a@x.org,x" + more + b"\n")

    assert figures(made) == ("DONE", 1, 1, 0, 0), made.failure
    assert await people(house) == [("1", "a@x.org", "y" if more else "x")]


async def test_a_header_is_compared_however_it_is_composed(house):
    columns = (NAMED[0], ColumnPlan(header="Straße é", kind="profile", target="city"))

    made = await run(house, "id,STRASSE e\u0301\n1,x\n".encode(), *columns)

    assert figures(made) == ("DONE", 1, 1, 0, 0)
    assert await people(house) == [("1", None, "x")]


async def test_one_column_feeds_two_targets(house):
    columns = (
        ColumnPlan(header="mail", kind="profile", target="externalId"),
        ColumnPlan(header="mail", kind="profile", target="email"),
    )

    made = await run(house, b"mail\na@x.org\n", *columns)

    assert figures(made) == ("DONE", 1, 1, 0, 0)
    assert await people(house) == [("a@x.org", "a@x.org", None)]


async def test_a_file_with_only_a_header_has_no_rows(house):
    assert figures(await run(house, b"id,mail,town")) == ("DONE", 0, 0, 0, 0)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
async def test_whoever_takes_over_reads_the_same_rows(house, monkeypatch, end):
    """Every few rows another worker, with a window of its own: the same lines are refused as in one go."""
    lines = ["id,mail,town"]
    for n in range(0, 60, 6):
        lines += [f'{n},p{n}@x.org,"two{end}lines"', f"{n + 1}", f'{n + 2},"open,x', f"{n},bad,x", "", ",,"]
    content = end.join(lines).encode()
    expected = await rejects(house, await run(house, content))

    monkeypatch.setattr(windows, "BATCH_LIMIT", 7)
    made, secret = await start(house)
    await upload(house, made, secret, content)
    step = ImportRunner._step
    while await step(ImportRunner(house.ports), made.id, windows.Window()):
        pass

    assert len(expected) == 30
    assert await rejects(house, made) == expected
    assert figures(await look(house, made))[:2] == ("DONE", 40)


async def test_only_so_many_rejects_are_kept_and_all_are_counted(house):
    made = await run(house, b"id,mail,town\n" + b"1,bad,x\n" * 1_500)

    kept = await house.ports.database.fetchval(
        "SELECT count(*) FROM import_rejects WHERE import_id = $1", made.id
    )
    assert (made.rejected, kept) == (1_500, 1_000)


async def test_a_file_larger_than_a_window_is_read_once_and_its_pieces_go(house):
    rows = [f"{n},p{n}@x.org,x,{'y' * 1_600}\n" for n in range(2_500)]

    made = await run(house, b"id,mail,town,note\n" + "".join(rows).encode())

    assert made.bytes > 3 * RECORD_BYTES
    assert figures(made) == ("DONE", 2_500, 2_500, 0, 0)
    await ImportRunner(house.ports).sweep()
    assert (
        await house.ports.database.fetchval(
            "SELECT count(*) FROM import_chunks WHERE import_id = $1", made.id
        )
        == 0
    )


async def test_a_file_whose_pieces_are_gone_fails_the_import(house):
    made, secret = await start(house)
    await upload(house, made, secret, b"id,mail,town\n1,a@x.org,x\n")
    async with house.ports.database.acquire() as connection:
        await import_files.forget_pieces(connection, made.id, before=PIECE_BYTES)

    await ImportRunner(house.ports).work_off(made.id)

    found = await look(house, made)
    assert (found.state, found.failure) == ("FAILED", "a part of the file is missing; import it again")


async def test_a_worker_that_stops_between_batches_is_followed_by_another(house, monkeypatch):
    made, secret = await start(house)
    content = b"id,mail,town\n" + b"".join(b"%d,p%d@x.org,x\n" % (n, n) for n in range(2_500))
    await upload(house, made, secret, content)
    first = ImportRunner(house.ports)
    advance = imports.advance

    async def breaking(connection, import_id, **more):
        await advance(connection, import_id, **more)
        record = await imports.find(connection, import_id)
        assert record
        if record.rows_read == 2_000:
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
            ColumnPlan(header="a\0", kind="group", target=1),
            ColumnPlan(header="\ud800", kind="profile", target="city"),
            delimiter="x",
            add_to_group_ids=(2,),
        )

    assert [(issue.code, issue.path) for issue in refused.value.issues] == [
        ("REQUIRED", ("columns",)),
        ("CONFLICT", ("columns", 2, "to")),
        ("MALFORMED", ("columns", 2, "header")),
        ("MALFORMED", ("columns", 3, "header")),
        ("MALFORMED", ("delimiter",)),
        ("UNKNOWN", ("columns", 0, "to", "field")),
        ("UNKNOWN", ("columns", 1, "to", "group_id")),
        ("UNKNOWN", ("columns", 2, "to", "group_id")),
        ("UNKNOWN", ("add_to_group_ids", 0)),
    ]


@pytest.mark.parametrize(
    "delimiter",
    ["\0", "", ",,", '"', "\n", "\r", "\x1f", "a", "5", "_", " ", "\ud800", "\u200b", "\ufeff", "\xa0"],
)
async def test_what_is_no_delimiter_is_refused(house, delimiter):
    with pytest.raises(InvalidInput) as refused:
        await start(house, delimiter=delimiter)

    assert [(issue.code, issue.path) for issue in refused.value.issues] == [("MALFORMED", ("delimiter",))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "-", "]", "\\", "§", "¦", "、"])
async def test_whatever_is_a_delimiter_parts_cells(house, delimiter):
    rows = [["id", "mail", "town"], ["1", "a@x.org", '"x"' + delimiter], ["2", "b@x.org", "y"]]
    content = "\n".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)

    made = await run(house, content.encode(), delimiter=delimiter)

    assert figures(made) == ("DONE", 2, 2, 0, 0)
    assert await people(house) == [("1", "a@x.org", ('"x"' + delimiter).strip()), ("2", "b@x.org", "y")]


async def test_what_was_said_of_rows_goes_with_the_person(house):
    """By each of their keys, also where the row was refused before anybody had it; other people's rows stay."""
    made = await run(
        house,
        b"id,mail,born\nada,,x1\n,ADA@x.org,x2\nbob,,x3\nbob,ada@x.org,\n,ada @x.org,\n,ada@x.org,,y\nbob,b@x.org,\nada,ada@x.org,\n",
        *NAMED[:2],
        ColumnPlan(header="born", kind="profile", target="birthday"),
    )
    before = [line for line, _ in await rejects(house, made)]

    await erase_subscriber(
        ports=house.ports, workspace=house.workspace, subscriber=SubscriberKey(kind="externalId", value="ada")
    )

    assert before == [2, 3, 4, 6, 7]
    assert [line for line, _ in await rejects(house, made)] == [4, 6]
    assert figures(await look(house, made)) == ("DONE", 8, 2, 0, 5)


async def test_a_conflict_goes_with_each_of_the_two(house):
    await house.upsert({"externalId": "ada", "email": "ada@x.org"}, {"externalId": "bob"})
    made = await run(house, b"id,mail,town\nbob,ada@x.org,\n")
    before = await rejects(house, made)

    for key in ("bob", "ada"):
        await erase_subscriber(
            ports=house.ports,
            workspace=house.workspace,
            subscriber=SubscriberKey(kind="externalId", value=key),
        )
        assert await rejects(house, made) == []
    assert len(before) == 1


async def test_a_failure_that_quotes_a_person_goes_with_them(house):
    await house.upsert(
        {"externalId": "ada", "email": "Ada@x.org"}, {"externalId": "bob", "email": "bob@x.org"}
    )
    hers, his = await run(house, b"ADA@x.org,x\n"), await run(house, b"'bob',x\n")

    await erase_subscriber(
        ports=house.ports, workspace=house.workspace, subscriber=SubscriberKey(kind="externalId", value="ada")
    )

    assert (await look(house, hers)).failure == "the reason is no longer kept"
    assert (await look(house, his)).failure == his.failure


async def test_what_was_said_of_rows_goes_after_a_month(house):
    await house.upsert({"externalId": "ada"})
    refused, failed = await run(house, b"id,mail,town\n1,bad,x\n"), await run(house, b"1,bad,x\n")
    runner = ImportRunner(house.ports)

    house.clock.instant += timedelta(days=MESSAGE_DAYS)
    await runner.forget_messages()
    after_a_month = await rejects(house, refused), (await look(house, failed)).failure
    house.clock.instant += timedelta(seconds=1)
    await runner.forget_messages()

    assert after_a_month == (
        [(2, "email: 'bad' is not an email address: An email address must have an @-sign.")],
        failed.failure,
    )
    assert await rejects(house, refused) == []
    assert figures(await look(house, refused)) == figures(refused)
    assert (await look(house, failed)).failure == "the reason is no longer kept"


def test_the_limits_stand_in_the_docs():
    page = (Path(__file__).parents[2] / "docs/howto/import.md").read_text(encoding="utf-8")
    table = page.split("| what | limit | beyond it |")[1].split("\n\n")[0]
    written = [
        int(number.replace(",", "")) for number in re.findall(r"^\| [^|]+ \| ([\d,]+)", table, re.MULTILINE)
    ]

    limits = [FILE_BYTES, RECORD_BYTES, RECORD_LINES, FILE_COLUMNS, COLUMNS_LIMIT, REJECTS_KEPT, REJECTS_KEPT]
    assert written == limits
    assert f"batches of {BATCH_LIMIT:,}" in page
    assert f"{MESSAGE_DAYS} days after" in page


async def test_no_word_of_the_csv_module_reaches_anybody(house):
    broken = [b'1,"a', b'1,a"b"c,"d"e', b"1,a\rb", b'"1,a\x00b,c', b'1,"' + b"x" * 200_000 + b"\n2"]
    for content in broken:
        made = await run(house, b"id,mail,town\n" + content)

        said = " ".join([made.failure or "", *(message for _, message in await rejects(house, made))])
        assert not re.search(
            "universal-newline|unexpected end|field limit|expected after|line contains", said
        )
