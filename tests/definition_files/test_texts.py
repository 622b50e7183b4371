"""The YAML of a file: what it means, where its values are, and what a new value leaves as it was."""

from __future__ import annotations

import pytest

from audience_gql.definition_files.texts import Text, Unreadable, written

FILE = """\
# Marketing calls them the regulars.
name: Loyal   # not: loyal customers
description: |
  Ordered often.
  Ask Maria.

condition:
  all:
    # Norway and Lithuania
    - country: {in: [no, LT]}
    - event:
        name: order_placed
        within: {between: {from: 2026-01-01, to: 2026-03-01T12:00:00Z}}
        times:
          atLeast: 5  # was 4
"""


def test_a_text_means_what_yaml_1_2_says():
    assert Text.read(FILE).value == {
        "name": "Loyal",
        "description": "Ordered often.\nAsk Maria.\n",
        "condition": {
            "all": [
                {"country": {"in": ["no", "LT"]}},
                {
                    "event": {
                        "name": "order_placed",
                        "within": {"between": {"from": "2026-01-01", "to": "2026-03-01T12:00:00Z"}},
                        "times": {"atLeast": 5},
                    }
                },
            ]
        },
    }
    scalars = Text.read("[yes, on, true, null, ~, 1, 1.5, 1e3, 0o17, '1', 010, .inf]").value
    assert scalars == ["yes", "on", True, None, None, 1, 1.5, 1000.0, 15, "1", 10, "inf"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 2),
        ("name", 2),
        ("condition", 7),
        ("condition all", 8),
        ("condition all 0 country", 10),
        ("condition all 1 event times atLeast", 15),
        ("condition all 1 event nothing there", 11),
        ("nothing", 2),
    ],
)
def test_each_value_has_its_line(path, line):
    assert Text.read(FILE).line_of(path.split()) == line


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name: X\nage: 1\nname: Y\n", 3, "found duplicate key"),
        ("name: X\n  age: 1\n", 2, "mapping values are not allowed here"),
        ("name: [\n", 2, "expected the node content"),
        ("name: X\n---\nname: Y\n", 2, "but found another document"),
        ("name: \x01\n", 1, "special characters are not allowed"),
        ("a: *b\n", 1, "found undefined alias"),
    ],
)
def test_a_text_that_is_not_one_value_is_unreadable_at_a_line(text, line, message):
    with pytest.raises(Unreadable) as refused:
        Text.read(text)

    assert (refused.value.line, message in refused.value.message) == (line, True), refused.value.message


def test_a_new_value_changes_only_its_own_lines():
    text = Text.read(FILE)
    value = text.value
    value["condition"]["all"][1]["event"]["times"] = {"atLeast": 6}
    value["condition"]["all"][0] = {"country": {"in": ["no", "LV"]}}

    changed = text.with_value(value)

    assert Text.read(changed).value == value
    before, after = FILE.splitlines(), changed.splitlines()
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        ("    - country: {in: [no, LT]}", "    - country: {in: [no, LV]}"),
        ("          atLeast: 5  # was 4", "          atLeast: 6  # was 4"),
    ]


def test_keys_come_and_go():
    text = Text.read(FILE)
    value = {key: part for key, part in text.value.items() if key != "description"} | {"more": "x\ny"}

    changed = text.with_value(value)

    assert Text.read(changed).value == value
    assert changed.startswith("# Marketing calls them the regulars.\nname: Loyal   # not: loyal customers\n")
    assert changed.endswith("more: |-\n  x\n  y\n")


@pytest.mark.parametrize("text", ["no", "null", "1", "1.0", "2026-01-01", "", " a ", "a: b", "#", "- x", "'", "ẞ\U0001f600", "a\nb", "x " * 500, "@", "~", "0o17", "yes"])  # fmt: skip
def test_every_text_is_written_so_that_it_is_read_again(text):
    value = {"name": text, "list": [text, {"a": [text]}], "number": 1.5, "whole": 3, "none": None, "is": True}

    assert Text.read(written(value)).value == value
    assert written(Text.read(written(value)).value) == written(value)
