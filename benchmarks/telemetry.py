"""What metrics, JSON logs and traces cost a read: the processor time of the web process, in turn with and without each.

    python3 dev run benchmarks/telemetry.py                       # in less than three minutes
    python3 dev run benchmarks/telemetry.py --quick               # one short round, which proves nothing
    python3 dev run benchmarks/telemetry.py --keep-state /tmp/reads-state

All servers run at the same time, and one of them is asked at a time, in rounds that begin with another server each. The questions and
the data are those of benchmarks/reads. A process cannot switch off its metrics, so one server replaces their function by nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from audience_gql.embedded import Servers
from benchmarks.reads import rounds
from benchmarks.reads.data import prepared
from benchmarks.reads.questions import QUESTIONS
from benchmarks.reads.results import Asked
from benchmarks.reads.rounds import Measuring
from benchmarks.reads.servers import KINDS, Kind, running

PEOPLE: Final = 200
CONNECTIONS: Final = 8
PLAIN: Final = "metrics"
"""A server as it is without any setting. The others are compared with it."""
_OFF: Final = (
    "import sys; from audience_gql.api.transport import measures; measures.note_operation = lambda *_: None; "
    "from audience_gql.cli import main; sys.exit(main(sys.argv[1:]))"
)


def kinds(collector: int) -> list[Kind]:
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}"}
    sampled = {**traced, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
    off = replace(
        KINDS["ours"],
        name="nothing",
        command=lambda port: (sys.executable, "-c", _OFF, "serve", "--port", str(port)),
    )
    return [
        off,
        _variant(PLAIN, {}),
        _variant("json logs", {"AUDIENCE_LOG_FORMAT": "json"}),
        _variant("traces of 1 %", {**sampled, "OTEL_TRACES_SAMPLER_ARG": "0.01"}),
        _variant("traces of all", traced),
    ]


def _variant(name: str, settings: Mapping[str, str]) -> Kind:
    ours = KINDS["ours"]
    return replace(
        ours, name=name, environment=lambda addresses, data: {**ours.environment(addresses, data), **settings}
    )


async def main() -> None:
    options = _arguments()
    started = Servers.start(options.keep_state) if options.keep_state else Servers.throwaway()
    with started as both:
        addresses = both.addresses
        data = await prepared(addresses.database_url, addresses.redis_url, people=PEOPLE)
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            collector = await stack.enter_async_context(_collecting())
            servers = [
                await stack.enter_async_context(
                    running(kind, addresses, data, folder / f"{kind.name.replace(' ', '_')}.log")
                )
                for kind in kinds(collector)
            ]
            client = await stack.enter_async_context(rounds.client(CONNECTIONS))
            measuring = Measuring(client, addresses.database_url, data)
            for question in QUESTIONS:
                if question.key in options.questions:
                    asked = await measuring.ask(
                        servers, question, number=options.rounds, seconds=options.seconds, warm_up=1.0
                    )
                    print("\n".join(_told(asked)), flush=True)


def _told(asked: Asked) -> Sequence[str]:
    """For each server, the microseconds of a request, and how they compare with the plain server's in the same rounds."""
    plain = asked.rounds[PLAIN]
    lines = [f"{asked.key}  {asked.about}"]
    for name, done in asked.rounds.items():
        ratios = [ours.server_us / theirs.server_us for ours, theirs in zip(done, plain, strict=True)]
        median = statistics.median(it.server_us for it in done)
        lines.append(
            f"  {name:<14} {median:8.0f} µs  {100 * (statistics.median(ratios) - 1):+6.1f} %"
            f"  ({100 * (min(ratios) - 1):+.1f} to {100 * (max(ratios) - 1):+.1f})"
        )
    return lines


@asynccontextmanager
async def _collecting() -> AsyncIterator[int]:
    """A collector that takes everything and keeps nothing. Gives its port."""
    server = await asyncio.start_server(_swallow, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
            )
            await writer.drain()
    writer.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round of 0.5 s of T1a")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round")
    parser.add_argument("--questions", type=lambda text: text.split(","), default=["T1a", "T3", "T5"])
    parser.add_argument("--keep-state", type=Path, help="a folder for the servers' data, for the next run")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.questions = 1, 0.5, ["T1a"]
    return options


if __name__ == "__main__":
    asyncio.run(main())
