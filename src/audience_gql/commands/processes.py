"""`audience-gql serve`, `worker` and `ready`: the processes of a deployment, and whether they can work."""
# ruff: noqa: PLC0415  # imports are inside the commands and after the settings, so that `--help` and a missing setting are told at once

from __future__ import annotations

import argparse
import asyncio

from audience_gql.commands.environment import port, read_settings
from audience_gql.telemetry.traces import start_traces, stop_traces


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = commands.add_parser("serve", help="run the web process")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=port, default=8000, help="port to listen on (default: 8000)")
    serve.set_defaults(run=_serve)
    worker = commands.add_parser("worker", help="run the process that keeps memberships exact")
    worker.add_argument(
        "--host", default="127.0.0.1", help="address for AUDIENCE_WORKER_METRICS_PORT (default: 127.0.0.1)"
    )
    worker.set_defaults(run=_worker)
    for command in (serve, worker):
        command.add_argument(
            "--stop-with-stdin", action="store_true", help="stop when standard input is closed"
        )
    ready = commands.add_parser(
        "ready", help="show for each part that a process needs whether it is available"
    )
    ready.set_defaults(run=_ready)


def _serve(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    start_traces("audience-gql-web")
    from audience_gql.app import create_app
    from audience_gql.maintenance import refuse_schema_of
    from audience_gql.serving.server import serve

    asyncio.run(refuse_schema_of(settings))
    serve(create_app(settings), host=parsed.host, port=parsed.port, settings=settings)
    return 0


def _worker(parsed: argparse.Namespace) -> int:
    settings = read_settings()
    start_traces("audience-gql-worker")
    from audience_gql import worker

    worker.run(settings, host=parsed.host)
    stop_traces()
    return 0


def _ready(_: argparse.Namespace) -> int:
    settings = read_settings()
    from audience_gql.maintenance import readiness_of

    found = asyncio.run(readiness_of(settings))
    for name, problem in found.parts.items():
        print(f"{name}: {problem or 'ok'}")
    return 0 if found.is_ready else 1
