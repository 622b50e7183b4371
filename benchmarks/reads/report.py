"""Writes the figures as one Markdown page with its picture, as JSON, and as a table of text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from audience_gql.config import Settings
from benchmarks.reads.picture import svg
from benchmarks.reads.results import Asked, Results

_HEAD: Final = """<!-- Written by benchmarks/reads; do not edit. -->

# Reads

How fast four servers answer the same questions about the same data, and how much processor time an answer costs. All of them read the same Postgres, and each is one process:

- **audience-gql**, as a user runs it: `audience-gql serve`, over HTTP with a token.
- **PostGraphile**, which makes a GraphQL API from tables: on Node's own HTTP server, in production mode, without GraphiQL. It reads views of our tables
  (`benchmarks/reads/views.sql`), whose smart tags declare the relations, so that its statements can use the same indexes.
- **hand-written SQL**: one statement for each question, which makes the JSON of the response, behind a bare ASGI application (`benchmarks/reads/handwritten.py`). It is what remains if nothing is general.
- **Strawberry + Tortoise**, as the documentation of the two shows: resolvers, `prefetch_related` and DataLoaders, without a cache of parsed operations (`benchmarks/reads/naive_server`).

Only audience-gql checks a token. PostGraphile and Strawberry + Tortoise also do not separate workspaces. Both are an advantage for the others. Before the measurement, the benchmark checks that all
servers give the same data for every request. The data are those of the demo (23,570 people and their purchases), with names, places, more groups and channel states for the same people. The raw figures are in `reads.json`.

![Requests per second of each server and question](reads.svg)
"""
_AT_ONCE: Final = Settings(database_url="", redis_url="", secret_keys=()).operations_at_once // 2
_TEXT_HEAD: Final = f"{'':4} {'':22} {'req/s':>8} {'x':>5} {'server':>9} {'x':>5} {'Postgres':>9} {'client':>9} {'busy':>5} {'p50':>9} {'p99':>9} {'bytes':>7}"


def write(folder: Path, results: Results) -> None:
    """Write reads.md, reads.svg and reads.json into this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reads.md").write_text("\n".join(_page(results)) + "\n", encoding="utf-8")
    (folder / "reads.svg").write_text(svg(results.asked), encoding="utf-8")
    (folder / "reads.json").write_text(results.to_json(), encoding="utf-8")


def text(asked: Asked, *, with_head: bool) -> str:
    """A line for each server. The columns x are relative to the first server; microseconds are of processor time for one request."""
    return "\n".join([_TEXT_HEAD, *_lines(asked)] if with_head else _lines(asked))


def _lines(asked: Asked) -> Iterator[str]:
    first = next(iter(asked.middles.values()))
    for server, one in asked.middles.items():
        yield (
            f"{asked.key:4} {server:22} {one.per_second:8,.0f} {one.per_second / first.per_second:5.2f} {one.server_us:6,.0f} µs "
            f"{one.server_us / first.server_us:5.2f} {one.postgres_us:6,.0f} µs {one.client_us:6,.0f} µs {one.client_share:5.0%} "
            f"{one.p50_ms:6.1f} ms {one.p99_ms:6.1f} ms {one.bytes_each:7,.0f}"
        )


def _page(results: Results) -> Iterator[str]:
    yield _HEAD
    yield from _ratios(results)
    for it in results.asked:
        yield f"## {it.key}: {it.about}\n"
        yield from _table(it)
    yield "## How it was measured\n"
    yield from _made_by(results)


def _ratios(results: Results) -> Iterator[str]:
    """How audience-gql compares with each of the others."""
    ours, *others = results.asked[0].rounds
    yield f"Requests per second of {ours}, relative to each of the others (more than 1: {ours} is faster), and the processor time of the server and Postgres"
    yield f"together for one request (less than 1: {ours} needs less):\n"
    yield "| | " + " | ".join(f"{what}, {other}" for other in others for what in ("req/s", "CPU")) + " |"
    yield "|---" + "|--:" * 2 * len(others) + "|"
    for it in results.asked:
        mine, *rest = it.middles.values()
        pairs = (f"{mine.per_second / one.per_second:.2f} | {mine.cpu_us / one.cpu_us:.2f}" for one in rest)
        yield f"| {it.key}: {it.about} | {' | '.join(pairs)} |"
    yield ""


def _table(it: Asked) -> Iterator[str]:
    yield "| | requests/s | CPU of the server | CPU of Postgres | p50 | p99 | bytes |\n|---|--:|--:|--:|--:|--:|--:|"
    for server, one in it.middles.items():
        yield (
            f"| {server} | {one.per_second:,.0f} | {one.server_us:,.0f} µs | {one.postgres_us:,.0f} µs | "
            f"{one.p50_ms:.1f} ms | {one.p99_ms:.1f} ms | {one.bytes_each:,.0f} |"
        )
    yield ""


def _made_by(results: Results) -> Iterator[str]:
    rounds = max(len(them) for it in results.asked for them in it.rounds.values())
    busiest = max(one.client_share for it in results.asked for one in it.middles.values())
    yield f"{results.measured_on}, in {results.seconds / 60:.1f} minutes:\n\n```sh\n{results.command}\n```\n"
    yield from (f"- {name.capitalize()}: {value}" for name, value in results.environment.items())
    yield (
        f"- For each question: a warm-up, then rounds of {results.round_seconds:g} s, {rounds} of each server. The servers take turns, and each round begins with another one. "
        "The figures are medians of the rounds."
    )
    yield (
        f"- One client process sends requests over {results.connections} connections that stay open. Each connection sends the next request as soon as it has the last response. "
        f"The client was never busier than {busiest:.0%} of a core. audience-gql runs at most {_AT_ONCE} operations of a token at a time, by default, while nobody else needs the places."
    )
    yield (
        "- A question about a segment or a person is asked about several of them in turn. "
        f"Each server has at most {results.pool_size} connections to Postgres for these questions."
    )
    yield (
        "- CPU is the processor time for one request, in user and kernel mode: that of the server's process, and that of all processes of Postgres that serve a connection. "
        "No worker runs."
    )
