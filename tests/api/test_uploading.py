"""`audience-gql import`: from a file and some words to people, over HTTP only."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.cli import main
from audience_gql.uploading import column

FILE = "Kunde,Mail,Plan\n1,ada@example.com,pro\n2,no address,pro\n3,cyd@example.com,\n"
MAP = ("--map", "Kunde=externalId", "--map", "Mail=email", "--map", "Plan=field:plan")


@pytest.mark.parametrize(
    ("text", "to"),
    [
        ("E-Mail=email", {"profile": "EMAIL"}),
        ("a=b=first_name", {"profile": "FIRST_NAME"}),
        ("Plan=field:plan", {"field": "plan"}),
        ("News=channel:SMS", {"channel": "SMS"}),
        ("VIP=group:grp_1", {"groupId": "grp_1"}),
    ],
)
def test_a_column_in_words(text, to):
    assert column(text) == {"header": text.rpartition("=")[0], "to": to}


@pytest.mark.parametrize("text", ["email", "=email", "Mail=mail", "Plan=field:", "Plan=field", ""])
def test_words_that_are_none(text):
    with pytest.raises(ValueError, match=r"TARGET|neither"):
        column(text)


async def run(served, server, file, *words: str, token: str | None = None):
    """The command, while somebody works off what it starts."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "audience_gql.cli",
            "import",
            str(file),
            "--url",
            f"{server.url}/graphql",
            *words,
        ),
        env={**os.environ, "AUDIENCE_TOKEN": token or await served.token("ADMIN")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    runner = ImportRunner(served.services.ports)
    told = asyncio.create_task(process.communicate())
    while not told.done():
        async with served.services.ports.database.acquire() as connection:
            running = await connection.fetch(
                "SELECT id FROM imports WHERE upload_id IS NOT NULL AND state IN ('WAITING', 'RUNNING')"
            )
        for row in running:
            await runner.work_off(row["id"])
        await asyncio.sleep(0.05)
    out, err = (await told)[0].decode(), (await told)[1].decode()
    return process.returncode, out, err


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "customers.csv"
    path.write_text(FILE, encoding="utf-8")
    return path


async def test_a_file_becomes_people(served, server, file):
    await served.data(
        'mutation { defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { __typename } }'
    )
    group = await served.group("Customers")

    code, out, err = await run(served, server, file, *MAP, "--add-to-group", group)

    assert (code, out.strip()) == (3, "DONE: 3 rows, 2 created, 0 updated, 1 refused"), err
    assert f"{file}:3: email:" in err
    found = await served.data(
        'query ($id: ID!) { group(by: {id: $id}) { memberCount } subscriber(by: {externalId: "1"}) { email field(key: "plan") } }',
        id=group,
    )
    assert found == {"group": {"memberCount": 2}, "subscriber": {"email": "ada@example.com", "field": "pro"}}


async def test_a_row_that_is_written_but_for_a_wish_is_told(served, server, tmp_path):
    file = tmp_path / "news.csv"
    file.write_text("Kunde,News\n1,UNSUBSCRIBED\n1,ACTIVE\n", encoding="utf-8")

    code, out, err = await run(
        served, server, file, "--map", "Kunde=externalId", "--map", "News=channel:EMAIL"
    )

    assert (code, out.strip()) == (0, "DONE: 2 rows, 1 created, 0 updated, 0 refused, 1 with a notice"), err
    assert f"{file}:3: notice: EMAIL stays UNSUBSCRIBED" in err


async def test_a_dry_run_writes_nothing(served, server, file):
    code, out, _ = await run(served, server, file, *MAP[:4], "--dry-run")

    assert (code, out.strip()) == (3, "DONE: 3 rows, would be 2 created, 0 updated, 1 refused")
    assert (await served.data("{ subscribers { edges { node { id } } } }"))["subscribers"]["edges"] == []


async def test_a_file_without_a_refused_row_ends_with_0(served, server, tmp_path):
    """One column is both keys, and a tab parts the cells."""
    file = tmp_path / "mails.tsv"
    file.write_text("MAIL\tx\tx\nada@example.com\t1\t2\n", encoding="utf-8")

    words = ("--map", "Mail=email", "--map", "Mail=externalId", "--delimiter", r"\t")
    code, out, err = await run(served, server, file, *words)

    assert (code, out.strip()) == (0, "DONE: 1 rows, 1 created, 0 updated, 0 refused"), err
    found = await served.data('{ subscriber(by: {externalId: "ada@example.com"}) { email } }')
    assert found == {"subscriber": {"email": "ada@example.com"}}


def test_help_tells_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["import", "--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert (
        "0 every row was accepted, 1 the import failed or did not start, 2 invalid arguments, 3 rows were refused"
        in said
    )


async def test_the_words_of_the_page_do_what_it_says(served, server, tmp_path):
    page = (Path(__file__).parents[2] / "docs/howto/import.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^python3 dev run audience-gql import (.*)$", page, re.MULTILINE)
    (rows,) = re.findall(r"<<'CSV'\n(.*?)^CSV$", page, re.MULTILINE | re.DOTALL)
    name, *words = shlex.split(line)
    file = tmp_path / name
    file.write_text(f"{rows}shop-3,no address,,\n")
    await served.data(
        'mutation { defineCustomField(input: {key: "cohort", label: "Cohort", type: TEXT}) { __typename } }'
    )

    tried = await run(served, server, file, *words)
    done = await run(served, server, file, *(word for word in words if word != "--dry-run"))

    assert (tried[0], tried[1].strip()) == (3, "DONE: 3 rows, would be 2 created, 0 updated, 1 refused")
    assert (done[0], done[1].strip()) == (3, "DONE: 3 rows, 2 created, 0 updated, 1 refused")
    assert f"{file}:4: " in done[2]
    found = await served.data(
        '{ subscriber(by: {externalId: "shop-2"}) { field(key: "cohort") channels { status } } }'
    )
    assert found == {"subscriber": {"field": "1998-07", "channels": [{"status": "UNSUBSCRIBED"}]}}


async def test_a_column_that_is_not_there_fails_it(served, server, file):
    code, out, _ = await run(served, server, file, "--map", "Customer=externalId")

    assert code == 1
    assert "Customer" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--map", "Plan=field:nothing"), "nothing"),
        (("--map", "Mail=mail"), "neither a profile field"),
        (
            ("--map", "Mail=email", "--delimiter", ",,"),
            "the delimiter must be a tab, or one visible character",
        ),
        (
            ("--map", "Mail=email", "--delimiter", "\n"),
            "the delimiter must be a tab, or one visible character",
        ),
        (("--map", "Mail=email", "--map", "Kunde=email"), "another column already has this target"),
    ],
)
async def test_what_is_refused_says_why(served, server, file, words, said):
    code, _, err = await run(served, server, file, *words)

    assert code == 1
    assert said in err
    assert "Traceback" not in err


async def test_a_bad_token_is_said(served, server, file):
    code, _, err = await run(served, server, file, *MAP[:2], token="agq_wrong")  # no token

    assert code == 1
    assert "Send a good token" in err
    assert "Traceback" not in err
