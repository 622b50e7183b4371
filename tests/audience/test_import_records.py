"""CSV as people have it: a record is read the same wherever the windows end, and a broken line costs that line alone."""

from __future__ import annotations

import ast
import csv
import io
import os
import re
from itertools import islice
from pathlib import Path
from random import Random

import pytest

import audience_gql
from audience_gql.audience.imports import records
from audience_gql.audience.imports.records import (
    BROKEN_QUOTE,
    NOT_UTF8,
    OPEN_QUOTE,
    RECORD_BYTES,
    RECORD_LINES,
    TOO_LONG,
    Reader,
)

CASES = 1_500 if os.environ.get("AUDIENCE_FUZZ_LONG") else 600
PIECES = ["a", "b", "é", "longer text", '"', '""', ",", ";", " ", "\t", "\n", "\r", "\r\n", "ß€", "'"]
SPECIAL = ["\x1a", "\ufeff", "\0"]


def read(content, delimiter=",", sizes=None, wanted=1_000):
    """Every record as (line, cells, problem), in windows of these sizes; a window that is too short grows, as the runner has it."""
    found, start, line = [], 0, 0
    while True:
        size = next(sizes) if sizes else len(content)
        while True:
            is_last = start + size >= len(content)
            window = content[start : start + size]
            reader = Reader(window, start=start, lines_before=line, delimiter=delimiter, is_last=is_last)
            taken = list(islice(reader, wanted))
            if reader.is_at_end or reader.end > start:
                break
            assert not is_last
            size *= 2
        found += [(record.line, record.cells, record.problem) for record in taken]
        start, line = reader.end, reader.end_line
        if reader.is_at_end:
            assert start == len(content)
            return found


def some_sizes(chance):
    while True:
        yield chance.choice([1, 2, 3, 7, 30, 200, 5_000])


@pytest.fixture
def small(monkeypatch):
    """Limits that random files come up to."""
    monkeypatch.setattr(records, "RECORD_BYTES", 60)
    monkeypatch.setattr(records, "RECORD_LINES", 4)
    monkeypatch.setattr(records, "_LINES", re.compile(rb"(?:[^\r\n]*+(?:\r\n|\n|\r)){1,4}+"))
    monkeypatch.setattr(records, "_NEAR_BYTES", 20)
    monkeypatch.setattr(records, "_LINE_BYTES", 60)


def some_text(chance, at_most, pieces=PIECES):
    return "".join(chance.choice(pieces) for _ in range(chance.randrange(at_most)))


def written(row, delimiter, quoting):
    """A row as the csv module writes it, without the line end. It quotes for both parts of its own line end."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerow(row)
    return out.getvalue().removesuffix("\r\n")


def plain(cell):
    """A cell without blanks around it, which count for nothing."""
    return cell.strip()


def line_count(text):
    return len(re.findall(r"\r\n|\r|\n", text))


@pytest.mark.parametrize("seed", range(CASES // 100))
def test_what_the_csv_module_writes_is_read_back_wherever_windows_end(seed):
    chance = Random(seed)
    for _ in range(100):
        delimiter = chance.choice(",;\t|§")
        quoting = chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
        text, expected = "\ufeff" * chance.randrange(2), []
        width = chance.randrange(1, 5)
        for _ in range(chance.randrange(12)):
            row = [some_text(chance, 6) for _ in range(width)]
            if any(map(plain, row)):
                expected.append((1 + line_count(text), [plain(cell) for cell in row], None))
            text += written(row, delimiter, quoting) + chance.choice(["\n", "\r\n", "\r\r", "\n\n", " \r\n"])
        if chance.random() < 0.3:
            text = text.rstrip("\r\n") + "\x1a" * chance.randrange(2)

        found = read(text.encode(), delimiter, some_sizes(chance), chance.choice([1, 3, 1_000]))

        assert [
            (line, [plain(cell) for cell in cells], problem) for line, cells, problem in found
        ] == expected, text


@pytest.mark.parametrize("seed", range(CASES // 100))
def test_a_broken_line_costs_that_line_alone(seed):
    """One quote too many or too few, anywhere in a line: every other record is read as before, on its own line."""
    chance = Random(seed)
    for _ in range(100):
        rows = [[f"{n}", *(some_word(chance) for _ in range(3))] for n in range(8)]
        lines = [written(row, ",", chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])) for row in rows]
        broken = chance.randrange(8)
        begin = 1 + sum(1 + line_count(line) for line in lines[:broken])
        first, *rest = lines[broken].split("\n")
        at = chance.randrange(len(first) + 1)
        first = first[:at] + '"' + first[at:] if first[at : at + 1] != '"' else first[:at] + first[at + 1 :]
        lines[broken] = "\n".join([first, *rest])

        found = read("\n".join(lines).encode(), sizes=some_sizes(chance))

        mine = [it for it in found if begin <= it[0] <= begin + len(rest)]
        others = [cells for line, cells, _ in found if not begin <= line <= begin + len(rest)]
        assert others == rows[:broken] + rows[broken + 1 :], lines
        assert [it[0] for it in mine][:1] == [begin]
        assert {problem for _, _, problem in found} <= {None, OPEN_QUOTE, BROKEN_QUOTE}


def some_word(chance):
    """A cell that, when it is quoted, begins with a letter: so the end of a quoted cell is nowhere to be mistaken."""
    return chance.choice(["", "Ann", "x", 'Ann "Lee"', "a, b", 'b,"c', "two\nlines", 'd"'])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(CASES // 100))
def test_windows_and_the_quick_way_change_nothing(seed, monkeypatch):
    """Of any bytes at all, with limits so low that they are met: the records, their lines and problems."""
    chance = Random(seed)
    for _ in range(100):
        content = some_text(chance, 150, PIECES + SPECIAL).encode()
        if chance.random() < 0.2:
            content = content.replace("é".encode(), b"\xe9")
        delimiter = chance.choice(",;\t")
        found = read(content, delimiter, some_sizes(chance), chance.choice([1, 3, 1_000]))

        with monkeypatch.context() as patched:
            patched.setattr(Reader, "_take_line", lambda _: None)
            assert found == read(content, delimiter), content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('a,"x\nb,y\nc,z\n', [(1, [], OPEN_QUOTE), (2, ["b", "y"], None), (3, ["c", "z"], None)]),
        ('a,"x\nb,"y"\nc,z', [(1, [], OPEN_QUOTE), (2, ["b", "y"], None), (3, ["c", "z"], None)]),
        ('a,"x', [(1, [], OPEN_QUOTE)]),
        ('"a"b,x\nc,d\n', [(1, [], BROKEN_QUOTE), (2, ["c", "d"], None)]),
        ('a,5"\nb,"5"""\n', [(1, ["a", '5"'], None), (2, ["b", '5"'], None)]),
        ('a, "b, c" ,d\n', [(1, ["a", "b, c", "d"], None)]),
        ('"a\r\nb"\rc\r\nd\n', [(1, ["a\r\nb"], None), (3, ["c"], None), (4, ["d"], None)]),
        ("a\r\rb", [(1, ["a"], None), (3, ["b"], None)]),
        (' ,,\n\t\n"", \na', [(4, ["a"], None)]),
        ('\ufeff"a",b\n\ufeffc', [(1, ["a", "b"], None), (2, ["c"], None)]),
        ("a\r\n\x1a", [(1, ["a"], None)]),
        ("a\x1a", [(1, ["a"], None)]),
        ("\x1a", []),
        ("", []),
        ("a,,\n", [(1, ["a", "", ""], None)]),
    ],
)
def test_a_quirk(content, expected):
    assert read(content.encode()) == expected


def test_a_line_that_is_not_utf8_is_refused_alone():
    content = b'a,b\ncaf\xe9,x\n"caf\xe9\n",x\nc,d\n'

    assert read(content) == [
        (1, ["a", "b"], None),
        (2, [], NOT_UTF8),
        (3, [], NOT_UTF8),
        (5, ["c", "d"], None),
    ]


def test_the_limits_of_a_record():
    lines = "a line\n" * (RECORD_LINES - 1)
    cell = "y" * (RECORD_BYTES - 3)

    assert read(f'"{lines}",1\n2\n'.encode()) == [(1, [lines, "1"], None), (RECORD_LINES + 1, ["2"], None)]
    cr = lines.replace("\n", "\r")
    assert read(f'"{cr}",1\r2\r'.encode()) == [(1, [cr, "1"], None), (RECORD_LINES + 1, ["2"], None)]
    assert read(f'"{lines}\n",1\n2\n'.encode())[0] == (1, [], OPEN_QUOTE)
    assert read(f"1,{cell}\n2\n".encode()) == [(1, ["1", cell], None), (2, ["2"], None)]
    assert read(f"1,{cell}y\n2\n".encode()) == [(1, [], TOO_LONG), (2, ["2"], None)]
    assert read(f'1,"{cell}"\n2\n'.encode()) == [(1, [], TOO_LONG), (2, ["2"], None)]


@pytest.mark.parametrize("line", ['a","\n', 'a","b","\n', "," * 20 + "\n", '"\n\n', '"a"b\n'])
def test_a_reader_stops_after_much_work_for_few_records(line):
    """So a file that is made to be slow keeps nobody waiting for long."""
    window = (line * (2 * RECORD_BYTES // len(line))).encode()
    reader = Reader(window, start=0, lines_before=0, delimiter=",", is_last=True)

    looked = len(list(islice(reader, 1_000)))

    assert looked == 1_000 or reader._work >= 2 * RECORD_BYTES
    assert reader._work < 2 * RECORD_BYTES + 2 * RECORD_BYTES


POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[^}]*\})\+")


def test_no_pattern_repeats_a_group_possessively():
    """Python 3.11.2 matches such patterns wrongly, and the tests usually run on a newer one."""
    source = Path(audience_gql.__file__).parent
    texts = [
        (path.name, str(node.value))
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    ]

    assert [(name, text) for name, text in texts if POSSESSIVE_GROUP.search(text)] == []
