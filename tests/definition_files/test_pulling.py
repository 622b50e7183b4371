"""Pulling writes definitions to files, and touches no file that says the same already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audience_gql.definition_files.folders import NoFolder, Problems, read_folder
from audience_gql.definition_files.pulling import pull

HERE = {"name": "Here", "condition": {"country": {"is": "LT"}}}
HI = {
    "name": "Hi",
    "description": "Says hi.",
    "trigger": {"segment": "Here"},
    "on": ["ENTERED"],
    "causes": ["FACT", "DEFINITION"],
    "actions": [{"addToGroup": "Team"}],
}


def definition(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "name": content.get("name", content.get("key")), "content": content}


def workspace(*segments: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        definition("CUSTOM_FIELD", {"key": "plan", "label": "Plan", "type": "TEXT"}),
        definition("GROUP", {"name": "Team"}),
        *(definition("SEGMENT", segment) for segment in segments),
        definition("AUTOMATION", HI),
    ]


def contents(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_first_pull_writes_a_file_for_each_definition(tmp_path):
    names = ["Here", "Čia & ten/../x", "here!", "日本", "CON:1", "a" * 90]

    pulled = pull(tmp_path / "new", workspace(*({**HERE, "name": name} for name in names)), prune=False)

    assert pulled.created == [
        "fields/plan.yaml",
        "groups/team.yaml",
        "segments/here.yaml",
        "segments/cia-ten-x.yaml",
        "segments/here-2.yaml",
        "segments/definition.yaml",
        "segments/con-1.yaml",
        f"segments/{'a' * 60}.yaml",
        "automations/hi.yaml",
    ]
    assert (
        contents(tmp_path / "new")["segments/here.yaml"] == "name: Here\ncondition:\n  country:\n    is: LT\n"
    )
    assert [file.value["name"] for file in read_folder(tmp_path / "new").of_kind("segments")] == [
        "a" * 90,
        "Čia & ten/../x",
        "CON:1",
        "日本",
        "here!",
        "Here",
    ]


def test_a_second_pull_changes_nothing(tmp_path):
    pull(tmp_path, workspace(HERE), prune=False)
    before = contents(tmp_path)

    pulled = pull(tmp_path, workspace(HERE), prune=True)

    assert (pulled.created, pulled.updated, pulled.deleted, pulled.unchanged) == ([], [], [], 4)
    assert contents(tmp_path) == before


def test_files_of_others_keep_their_names_words_and_comments(tmp_path):
    pull(tmp_path, workspace(), prune=False)
    (tmp_path / "segments" / "team").mkdir(parents=True)
    mine = "# ours\ncondition: {country: {is: LT}}  # home\nname: 'HERE'\nrenamedFrom: There\ndescription:\n"
    (tmp_path / "segments" / "team" / "home.yml").write_text(mine, encoding="utf-8")
    (tmp_path / "segments" / "notes.txt").write_text("x", encoding="utf-8")
    hi = (tmp_path / "automations" / "hi.yaml").read_text(encoding="utf-8") + "paused: false\n"
    hi = hi.replace("on:\n  - ENTERED\n", "").replace(
        "  - FACT\n  - DEFINITION\n", "  - DEFINITION\n  - FACT\n"
    )
    hi = hi.replace("description: Says hi.", "description: |\n  Says hi.\n")
    (tmp_path / "automations" / "hi.yaml").write_text(hi, encoding="utf-8")

    same = pull(tmp_path, workspace({**HERE, "name": "HERE"}), prune=True)
    edited = pull(tmp_path, workspace({"name": "Here", "condition": {"country": {"is": "LV"}}}), prune=True)

    assert (same.created, same.updated, same.deleted) == ([], [], [])
    assert (edited.created, edited.updated, edited.deleted) == ([], ["segments/team/home.yml"], [])
    assert (tmp_path / "segments" / "team" / "home.yml").read_text(encoding="utf-8") == (
        "# ours\ncondition: {country: {is: LV}}  # home\nname: 'Here'\nrenamedFrom: There\n"
    )


def test_files_of_deleted_definitions_stay_unless_pruned(tmp_path):
    pull(tmp_path, workspace(HERE), prune=False)

    kept = pull(tmp_path, workspace(), prune=False)
    assert (kept.left, (tmp_path / "segments" / "here.yaml").exists()) == (["segments/here.yaml"], True)
    pruned = pull(tmp_path, workspace(), prune=True)

    assert (pruned.deleted, (tmp_path / "segments" / "here.yaml").exists()) == (["segments/here.yaml"], False)


def test_a_file_that_cannot_be_read_stops_a_pull_before_it_writes(tmp_path):
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "segments" / "list.yaml").write_text("- name: X\n", encoding="utf-8")

    (tmp_path / "segments" / "round.yaml").write_text("&a\nb: *a\n", encoding="utf-8")

    with pytest.raises(Problems) as found:
        pull(tmp_path, workspace(HERE), prune=True)

    assert [str(problem) for problem in found.value.problems] == [
        "segments/bad.yaml:1: the file is not UTF-8",
        "segments/list.yaml:1: expected a definition: lines such as `name: Loyal customers`",
        "segments/round.yaml:1: the value contains itself, or is nested too deep",
    ]
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "bad.yaml",
        "list.yaml",
        "round.yaml",
        "segments",
    ]


def test_another_folder_is_not_taken_for_one_without_definitions(tmp_path):
    with pytest.raises(NoFolder):
        read_folder(tmp_path)
