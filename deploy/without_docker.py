"""Runs what docker-compose.yml says, without Docker: the same commands, environment and health checks, on servers from wheels.

    python deploy/without_docker.py

It brings everything up in the order of `depends_on`, waits for the health checks, asks without pause while it restarts the web process
under its clients and stops all of it with SIGTERM, and ends with 0 when every request was answered and every process ended well.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from audience_gql.embedded import ServerAddresses, Servers

COMPOSE = Path(__file__).parents[1] / "docker-compose.yml"
PROGRAMS = Path(sys.executable).parent
SECRETS = {"POSTGRES_PASSWORD": "not used here", "AUDIENCE_SECRET_KEY": "kept for as long as this runs"}
WAIT_SECONDS = 60.0
ASKING_SECONDS = 3.0
CLIENTS = 4
ENDED_WELL = {0, -signal.SIGTERM}
"""The web server passes the signal on to itself once it has drained."""


def main() -> int:
    services = read_services(COMPOSE.read_text(encoding="utf-8"), SECRETS)
    with Servers.throwaway() as servers:
        deployment = Deployment(services, servers.addresses)
        try:
            return deployment.play()
        finally:
            deployment.kill()


def read_services(text: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The services with their variables filled in. Raises KeyError for one that must be given and is not."""

    def value(found: re.Match[str]) -> str:
        name, operator, default = found["name"], found["operator"], found["default"]
        if name in environment:
            return environment[name]
        if operator == ":-":
            return default
        raise KeyError(name)

    pattern = r"\$\{(?P<name>\w+)(?:(?P<operator>:-|:\?)(?P<default>[^}]*))?\}"
    services: dict[str, Any] = yaml.safe_load(re.sub(pattern, value, text))["services"]
    return services


class Deployment:
    """The processes of ours. Postgres and Valkey are there already, at other addresses than the file says."""

    def __init__(self, services: Mapping[str, Any], servers: ServerAddresses) -> None:
        self._services = services
        self._servers = servers
        command = services["web"]["command"]
        command[command.index("--port") + 1] = free_port()  # the one that the file names may be taken here
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def play(self) -> int:
        self._run_to_its_end("migrate")
        self._start("worker")
        self._start("web")
        for name in ("web", "worker"):
            self._wait_until_healthy(name)
        asked = self._ask_while(self._stop_web_while_it_answers)
        self._start("web")
        self._wait_until_healthy("web")
        codes = {name: self._stop(name) for name in ("web", "worker")}
        say(f"{sum(asked.values())} requests while it was stopped: {dict(asked)}; ended with {codes}")
        return 0 if set(asked) <= {"answered", "not accepted"} and set(codes.values()) <= ENDED_WELL else 1

    def kill(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def _command(self, words: Sequence[str]) -> list[str]:
        return [str(PROGRAMS / words[0]), *words[1:]]

    def _environment(self, name: str) -> dict[str, str]:
        addresses = {"DATABASE_URL": self._servers.database_url, "REDIS_URL": self._servers.redis_url}
        given: dict[str, str] = self._services[name]["environment"]
        assert addresses.keys() <= given.keys()
        return {"PATH": os.environ["PATH"], **given, **addresses}

    def _run_to_its_end(self, name: str) -> None:
        service = self._services[name]
        subprocess.run(self._command(service["command"]), env=self._environment(name), check=True)
        say(f"{name}: done")

    def _start(self, name: str) -> None:
        service = self._services[name]
        self._running[name] = subprocess.Popen(
            self._command(service["command"]), env=self._environment(name), start_new_session=True
        )

    def _wait_until_healthy(self, name: str) -> None:
        kind, *words = self._services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            checked = subprocess.run(
                self._command(words), env=self._environment(name), capture_output=True, check=False
            )
            if checked.returncode == 0 and (name != "web" or answered(self._address)):
                say(f"{name}: healthy ({', '.join(checked.stdout.decode().split(chr(10))[:-1])})")
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name}: {checked.stdout.decode()}{checked.stderr.decode()}")
            time.sleep(0.2)

    def _stop(self, name: str) -> int:
        process = self._running.pop(name)
        process.terminate()
        return process.wait(WAIT_SECONDS)

    @property
    def _address(self) -> str:
        words = self._services["web"]["command"]
        return f"http://127.0.0.1:{words[words.index('--port') + 1]}/readyz"

    def _stop_web_while_it_answers(self) -> None:
        time.sleep(ASKING_SECONDS / 2)
        code = self._stop("web")
        assert code in ENDED_WELL, f"web: ended with {code}"

    def _ask_while(self, work: Callable[[], None]) -> Counter[str]:
        """How requests fared that were made without pause meanwhile."""
        over = threading.Event()
        fared: Counter[str] = Counter()

        def ask() -> None:
            while not over.is_set():
                fared[outcome(self._address)] += 1

        clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            work()
        finally:
            over.set()
            for client in clients:
                client.join()
        return fared


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def answered(address: str) -> bool:
    return outcome(address) == "answered"


def outcome(address: str) -> str:
    """A connection that is refused was never accepted: whoever balances the load asks another process."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            answer.read()
            return "answered"
    except urllib.error.HTTPError as error:
        return f"answered with {error.code}"
    except urllib.error.URLError as error:
        return (
            "not accepted" if isinstance(error.reason, ConnectionRefusedError) else f"failed: {error.reason}"
        )
    except OSError as error:
        return f"failed: {error}"


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
