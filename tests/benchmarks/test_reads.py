"""The benchmark of reads compares answers by their data, and calculates its figures from whole requests."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from benchmarks.reads import report
from benchmarks.reads.client import Load, Order, load
from benchmarks.reads.comparing import NotComparable, plain, require_same
from benchmarks.reads.data import Data
from benchmarks.reads.handwritten import STATEMENTS
from benchmarks.reads.node import POSTGRAPHILE
from benchmarks.reads.questions import QUESTIONS, documents, handwritten_bodies, our_bodies, plain_bodies
from benchmarks.reads.results import Asked, Results, Round, middle
from benchmarks.reads.rounds import round_of, turns

ROOT = Path(__file__).parents[2]
ROUND = Round(
    per_second=100,
    server_us=300,
    postgres_us=100,
    client_us=20,
    client_share=0.1,
    bytes_each=50,
    p50_ms=1,
    p99_ms=2,
)
OURS = {
    "name": "Loyal",
    "members": {
        "edges": [
            {
                "enteredAt": "2026-11-29T20:00:00.5Z",
                "node": {"email": "a@x.example", "groups": {"edges": [{"node": {"name": "Vinyl"}}]}},
            }
        ]
    },
}
OTHER = {
    "name": "Loyal",
    "members": {
        "nodes": [
            {
                "enteredAt": "2026-11-29T22:00:00.500000+02:00",
                "person": {"email": "a@x.example", "groups": {"nodes": [{"group": {"name": "Vinyl"}}]}},
            }
        ]
    },
}

ANSWERS = {
    b"good": (b"200 OK", b'{"data":1}'),
    b"bad": (b"400 Bad Request", b"{}"),
    b"wrong": (b"200 OK", b'{"errors":[]}'),
}


def changed(value, path, new):
    """A copy with another value at a path."""
    copy = json.loads(json.dumps(value))
    *way, last = path
    inner = copy
    for step in way:
        inner = inner[step]
    inner[last] = new
    return copy


def test_answers_in_different_wrappers_have_the_same_data():
    assert plain(OURS) == plain(OTHER)
    assert plain(OURS) == {
        "name": "Loyal",
        "members": [
            {
                "enteredAt": "2026-11-29T20:00:00.500000+00:00",
                "email": "a@x.example",
                "groups": [{"name": "Vinyl"}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("path", "new", "problem"),
    [
        (["members", 0, "email"], "b@x.example", "at [1].members[0].email, 'a@x.example' became 'b@x.example'"),
        (["members", 0, "groups"], [], "at [1].members[0].groups, [{'name': 'Vinyl'}] became []"),
        (["members", 0, "enteredAt"], None, "at [1].members[0].enteredAt, '2026-11-29T20:00:00.500000+00:00' became None"),
    ],
)  # fmt: skip
def test_servers_with_different_data_are_refused(path, new, problem):
    same = plain(OURS)
    answers = {"ours": [same, same], "equal": [same, same], "different": [same, changed(same, path, new)]}

    with pytest.raises(NotComparable) as caught:
        require_same("T3", answers)

    assert (caught.value.question, caught.value.server, caught.value.problem) == ("T3", "different", problem)


def test_a_missing_answer_is_refused():
    with pytest.raises(NotComparable, match="T3, other: at the root"):
        require_same("T3", {"ours": [1, 2], "other": [1]})


@pytest.mark.parametrize("empty", [None, [], {}])
def test_an_empty_answer_is_refused(empty):
    with pytest.raises(NotComparable, match="T3, ours: an answer is empty"):
        require_same("T3", {"ours": [empty], "other": [empty]})


def test_equal_answers_are_accepted():
    require_same("T3", {"ours": [plain(OURS)], "other": [plain(OTHER)]})


def test_the_figures_of_a_round_are_for_one_request():
    loaded = Load(requests=400, bytes=8_000, seconds=2.0, cpu_seconds=0.01, p50_ms=3, p99_ms=9)

    measured = round_of(loaded, server_seconds=1.0, postgres_seconds=0.2)

    assert measured == Round(
        per_second=200,
        server_us=2_500,
        postgres_us=500,
        client_us=25,
        client_share=0.005,
        bytes_each=20,
        p50_ms=3,
        p99_ms=9,
    )


def test_the_middle_is_the_median_of_each_figure():
    rounds = [
        replace(ROUND, per_second=per_second, p99_ms=p99) for per_second, p99 in ((10, 7), (30, 5), (20, 900))
    ]

    assert middle(rounds) == replace(ROUND, per_second=20, p99_ms=7)


def test_each_round_begins_with_another_server():
    assert [turns("abc", number) for number in range(4)] == [
        ["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"],
    ]  # fmt: skip


def test_the_report_compares_ours_with_the_others(tmp_path):
    slow = replace(ROUND, per_second=25, server_us=700, postgres_us=900, client_share=0.25)
    asked = Asked(key="T1b", about="a segment", rounds={"ours": [ROUND], "other": [slow]})
    results = Results(
        command="python3 dev run benchmarks/reads",
        measured_on="2026-11-29",
        seconds=90,
        connections=16,
        round_seconds=2,
        pool_size=10,
        environment={"machine": "2 cores"},
        asked=[asked],
    )

    report.write(tmp_path, results)

    page = (tmp_path / "reads.md").read_text(encoding="utf-8")
    assert "| T1b: a segment | 4.00 | 0.25 |\n" in page
    assert "| other | 25 | 700 µs | 900 µs | 1.0 ms | 2.0 ms | 50 |\n" in page
    assert "The client was never busier than 25% of a core." in page
    assert json.loads((tmp_path / "reads.json").read_text(encoding="utf-8"))["asked"][0]["key"] == "T1b"
    assert (tmp_path / "reads.svg").read_text(encoding="utf-8").count("<path transform") == 4


def test_every_dialect_has_every_question():
    keys = {question.key for question in QUESTIONS}

    assert set(STATEMENTS) == keys
    for dialect in ("ours", "postgraphile", "naive"):
        assert set(documents(dialect)) == keys


def test_our_operations_are_good_graphql():
    schema = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))

    for document in documents("ours").values():
        assert validate(schema, parse(document)) == []


def test_all_servers_are_asked_equally_often():
    data = Data(workspace_id=1, bucket_id=2, token="agq_", segment_ids=(3, 4), person_ids=(5, 6, 7))

    for question in QUESTIONS:
        bodies = [
            our_bodies(question, data),
            plain_bodies("postgraphile")(question, data),
            plain_bodies("naive")(question, data),
            handwritten_bodies(question, data),
        ]
        assert {len(set(it)) for it in bodies} == {len(question.targets(data))}


def test_packages_are_locked_by_hash_and_without_addresses():
    lock = json.loads((POSTGRAPHILE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: it for name, it in lock["packages"].items() if name}

    assert packages
    assert [name for name, it in packages.items() if not it.get("integrity") or "resolved" in it] == []


async def test_the_client_counts_whole_responses_and_failures():
    received = []

    async def answer(reader, writer):
        with suppress(asyncio.IncompleteReadError):  # the client has closed the connection
            while head := await reader.readuntil(b"\r\n\r\n"):
                (length,) = re.findall(rb"Content-Length: (\d+)", head)
                received.append(await reader.readexactly(int(length)))
                status, said = ANSWERS[received[-1]]
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(said), said))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    done = await load(
        Order(port=port, path="/", headers={}, bodies=("good", "bad", "wrong"), connections=3, seconds=0.05)
    )

    server.close()
    assert done.requests == len(received) >= 3
    assert done.failures == received.count(b"bad") + received.count(b"wrong") >= 2
    assert done.bytes == sum(len(ANSWERS[body][1]) for body in received)
