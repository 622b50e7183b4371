"""`audience-gql pull`, `plan` and `apply` against a running server, as a newcomer and a pipeline use them."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path

import pytest
import yaml

from audience_gql.cli import main
from audience_gql.definition_files.texts import Text
from tests.pages import snippets

LITHUANIA = {"country": {"is": "LT"}}
PLAN = """\
~ segment "Here" revision 1: 1 would enter, 2 would leave, then 1 person
    description:
      + "In Spain."
    condition:
      - people whose country is "LT"
      + people whose country is "ES"
    is read by the segments "Team here", "There"
    is used by the automation "Hi", not started by edits

+ segment "There": would have 0 people
    people who match all of these:
      people who are in the segment "Here"
      people whose city is "Vilnius"

> segment "Team here": 0 would enter, 0 would leave, then 0 people

Not in the files, and kept (--prune deletes it):
    group "Left alone"

Plan: 1 to create, 1 to change, 0 to delete, 3 unchanged.
"""
ALL_PROBLEMS = """\
groups/text.yaml:1: expected a definition: lines such as `name: Loyal customers`
segments/here.yaml:4: condition.country.si: TextFilter has no field si
segments/here.yaml:5: colour: SegmentDefinitionInput has no field colour
segments/twice.yaml:2: found duplicate key "name" with value "B" (original value: "A")
"""


@pytest.fixture
async def shop(served, server, monkeypatch):
    """A workspace, which the commands find by the environment."""
    monkeypatch.setenv("AUDIENCE_URL", f"{server.url}/graphql")
    monkeypatch.setenv("AUDIENCE_TOKEN", await served.token("READ", "WRITE"))
    await served.upsert(*({"externalId": name, "country": name[:2]} for name in ("LT1", "LT2", "ES1")))
    group = await served.group("Team")
    here = await served.segment("Here", LITHUANIA)
    await served.segment(
        "Team here", {"all": [{"segment": {"anyOf": [here]}}, {"group": {"anyOf": [group]}}]}
    )
    document = "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { __typename } }"
    rule = {"name": "Hi", "trigger": {"segment": here}, "actions": [{"addToGroup": group}]}
    await served.data(document, input=rule)
    return served


async def run(capsys, *words: str | Path) -> tuple[int, str, str]:
    """The exit code, and what was printed to both outputs."""
    code = await asyncio.to_thread(main, [*map(str, words)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


async def test_a_change_goes_from_the_files_to_the_workspace(shop, capsys, tmp_path, monkeypatch):
    code, out, _ = await run(capsys, "pull", tmp_path)
    assert (code, out.splitlines()[-1]) == (0, "Files: 4 created, 0 changed, 0 deleted, 0 unchanged.")
    assert await run(capsys, "pull", tmp_path) == (
        0,
        "Files: 0 created, 0 changed, 0 deleted, 4 unchanged.\n",
        "",
    )
    assert await run(capsys, "plan", tmp_path, "--detailed-exitcode") == (
        0,
        "Plan: 0 to create, 0 to change, 0 to delete, 4 unchanged.\n",
        "",
    )
    assert (await run(capsys, "apply", tmp_path))[0] == 0  # there is nothing to confirm

    await shop.group("Left alone")
    here = tmp_path / "segments" / "here.yaml"
    here.write_text("name: Here\ndescription: In Spain.\ncondition: {country: {is: ES}}\n", encoding="utf-8")
    (tmp_path / "segments" / "there.yaml").write_text(
        "name: There\ncondition:\n  all: [{segment: {anyOf: [here]}}, {city: {is: Vilnius}}]\n",
        encoding="utf-8",
    )
    assert await run(capsys, "plan", tmp_path) == (0, PLAN, "")
    assert (await run(capsys, "plan", tmp_path, "--detailed-exitcode"))[0] == 4
    code, out, _ = await run(capsys, "plan", tmp_path, "--json")
    planned = json.loads(out)
    assert (code, planned["counts"]) == (0, {"create": 1, "change": 1, "delete": 0})

    monkeypatch.setattr(sys, "stdin", io.StringIO("no\n"))
    assert (await run(capsys, "apply", tmp_path))[::2] == (1, "audience-gql: nothing was applied\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    code, out, err = await run(capsys, "apply", tmp_path, "--if-plan", planned["id"])
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].endswith("Applied: 2 changes. People enter and leave in the background.")
    assert (await run(capsys, "plan", tmp_path, "--detailed-exitcode"))[0] == 0
    code, _, err = await run(capsys, "apply", tmp_path, "--yes", "--if-plan", planned["id"])
    assert (code, err) == (1, f"audience-gql: this is not the plan {planned['id']}. Nothing was applied.\n")

    code, out, _ = await run(capsys, "apply", tmp_path, "--prune", "--yes")
    assert (code, '- group "Left alone"' in out) == (0, True)


async def test_nothing_is_applied_if_somebody_was_faster(shop, capsys, tmp_path, monkeypatch):
    await run(capsys, "pull", tmp_path)
    here = tmp_path / "segments" / "here.yaml"
    here.write_text("name: Here\ncondition: {country: {is: ES}}\n", encoding="utf-8")
    loop = asyncio.get_running_loop()

    def edit_and_confirm(_: str) -> str:
        edit = 'mutation ($id: ID!) { updateSegment(input: {id: $id, description: "Mine"}) { __typename } }'
        asyncio.run_coroutine_threadsafe(shop.data(edit, id=id_), loop).result(10)
        return "yes"

    id_ = (await shop.data('{ segment(by: {name: "Here"}) { id } }'))["segment"]["id"]
    monkeypatch.setattr("builtins.input", edit_and_confirm)
    code, _, err = await run(capsys, "apply", tmp_path)

    assert (code, err) == (
        1,
        "audience-gql: the definitions have changed since this plan was made; look at a new plan. Nothing was applied.\n",
    )
    found = await shop.data('{ segment(by: {name: "Here"}) { description condition } }')
    assert found["segment"] == {"description": "Mine", "condition": LITHUANIA}


@pytest.mark.usefixtures("shop")
async def test_all_wrong_files_are_told_with_their_lines(capsys, tmp_path):
    await run(capsys, "pull", tmp_path)
    (tmp_path / "segments" / "here.yaml").write_text(
        "# ours\nname: Here\ncondition:\n  country: {si: LT}\ncolour: red\n", encoding="utf-8"
    )
    (tmp_path / "segments" / "twice.yaml").write_text("name: A\nname: B\n", encoding="utf-8")
    (tmp_path / "groups" / "text.yaml").write_text("Team\n", encoding="utf-8")

    code, out, err = await run(capsys, "apply", tmp_path, "--yes")

    lines = "".join(f"{tmp_path}/{line}\n" for line in ALL_PROBLEMS.splitlines())
    assert (code, out, err) == (1, "", f"{lines}audience-gql: 4 problems; nothing was changed\n")

    (tmp_path / "segments" / "twice.yaml").unlink()
    (tmp_path / "groups" / "text.yaml").unlink()
    (tmp_path / "segments" / "here.yaml").write_text("name: Here\ncondition:\n  segment:\n    anyOf:\n      - Her\n", encoding="utf-8")  # fmt: skip
    code, _, err = await run(capsys, "plan", tmp_path)
    assert (code, err.splitlines()[0]) == (
        1,
        f"{tmp_path}/segments/here.yaml:5: condition.segment.anyOf.0: there is no segment called 'Her'; did you mean Here?",
    )


async def test_a_wrong_folder_token_or_server_is_said_in_a_line(shop, capsys, tmp_path):
    for command in ("plan", "apply"):
        code, _, err = await run(capsys, command, tmp_path / "nowhere")
        assert (code, err.count("\n"), "has none of the folders" in err) == (1, 1, True)
    (tmp_path / "groups").mkdir()
    code, _, err = await run(capsys, "plan", tmp_path, "--token", await shop.token("TRACK"))
    assert (code, err) == (1, "audience-gql: The token is not allowed to do this. It needs READ.\n")
    code, _, err = await run(capsys, "pull", tmp_path, "--url", "http://127.0.0.1:1/graphql")
    assert (code, err.count("\n"), "does not answer" in err) == (1, 1, True)


async def test_the_page_s_files_fit_together(shop, capsys, tmp_path):
    """docs/howto/definitions.md shows two files, and a workflow that is YAML with commands of ours."""
    texts = [
        text
        for page, language, text in snippets()
        if (page, language) == ("docs/howto/definitions.md", "yaml")
    ]
    await run(capsys, "pull", tmp_path)
    await shop.group("Invited")
    await shop.segment("Loyal", LITHUANIA)

    for text in texts[:2]:
        path = tmp_path / text.splitlines()[0].removeprefix("# ")
        path.write_text(text, encoding="utf-8")
    code, out, err = await run(capsys, "apply", tmp_path, "--yes")

    assert (code, err, "Applied: 2 changes." in out) == (0, "", True)
    jobs = yaml.safe_load(texts[2])["jobs"]
    assert {*jobs} == {"plan", "apply"}
    assert Text.read(texts[2]).value["on"]["push"] == {"branches": ["main"], "paths": ["definitions/**"]}
