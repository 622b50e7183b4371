"""Runs what docker-compose.yml says, without Docker: the same commands, environment and health checks, on servers from wheels.

    python3 dev run deploy/without_docker.py

It brings everything up in the order of `depends_on`, waits for the health checks, has clients write people without pause while it restarts
the web process under them, and stops all of it with SIGTERM. It ends with 0 when every write that was accepted was answered, everybody
who was written is there, nobody else is, and every process ended well.
"""

from __future__ import annotations

import json
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
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from audience_gql.embedded import ServerAddresses, Servers

COMPOSE = Path(__file__).parents[1] / "docker-compose.yml"
PROGRAMS = Path(sys.executable).parent
SECRETS = {"POSTGRES_PASSWORD": "not used here", "AUDIENCE_SECRET_KEY": "kept for as long as this runs"}
WAIT_SECONDS = 60.0
WRITING_SECONDS = 3.0
CLIENTS = 4
ANSWERED, NOT_ACCEPTED = "answered", "not accepted"
ENDED_WELL = {0, -signal.SIGTERM}
"""The web server passes the signal on to itself once it has drained."""
TOKEN_COMMAND = (
    "audience-gql",
    "token",
    "create",
    "--workspace",
    "Shop",
    "--name",
    "first",
    "--scope",
    "ADMIN",
)
WRITE = """mutation ($key: String!) { upsertSubscribers(input: {subscribers: [{externalId: $key}]}) {
  ... on UpsertSubscribersPayload { created }
} }"""
PEOPLE = "{ viewer { workspace { subscriberCount } } }"


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
        client = Client(address=self._address, token=self._made_token())
        fared = self._write_while(client, self._stop_web_while_it_answers)
        self._start("web")
        self._wait_until_healthy("web")
        people = client.people()
        codes = {name: self._stop(name) for name in ("web", "worker")}
        say(
            f"{fared.total()} writes while it was stopped: {dict(fared)}; {people} people; ended with {codes}"
        )
        is_whole = set(fared) == {ANSWERED, NOT_ACCEPTED} and people == fared[ANSWERED]
        return 0 if is_whole and set(codes.values()) <= ENDED_WELL else 1

    def kill(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def _command(self, words: Sequence[str]) -> list[str]:
        return [str(PROGRAMS / words[0]), *words[1:]]

    def _environment(self, name: str) -> dict[str, str]:
        addresses = {"DATABASE_URL": self._servers.database_url, "REDIS_URL": self._servers.redis_url}
        given: dict[str, str | None] = self._services[name]["environment"]
        assert addresses.keys() <= given.keys()
        values = {key: os.environ.get(key) if value is None else value for key, value in given.items()}
        set_values = {key: value for key, value in values.items() if value is not None}
        return {"PATH": os.environ["PATH"], **set_values, **addresses}

    def _run_to_its_end(self, name: str) -> None:
        service = self._services[name]
        subprocess.run(self._command(service["command"]), env=self._environment(name), check=True)
        say(f"{name}: done")

    def _made_token(self) -> str:
        """As docs/howto/operate.md says."""
        return subprocess.run(
            self._command(TOKEN_COMMAND),
            env=self._environment("web"),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()

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
            if checked.returncode == 0 and (name != "web" or is_ready(self._address)):
                say(f"{name}: healthy ({', '.join(checked.stdout.decode().split(chr(10))[:-1])})")
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name}: {checked.stdout.decode()}{checked.stderr.decode()}")
            time.sleep(0.2)

    def _stop(self, name: str) -> int:
        process = self._running[name]
        process.terminate()
        code = process.wait(
            WAIT_SECONDS
        )  # a process that does not end stays in _running, and is killed with the rest
        del self._running[name]
        return code

    @property
    def _address(self) -> str:
        words = self._services["web"]["command"]
        return f"http://127.0.0.1:{words[words.index('--port') + 1]}"

    def _stop_web_while_it_answers(self) -> None:
        time.sleep(WRITING_SECONDS / 2)
        code = self._stop("web")
        assert code in ENDED_WELL, f"web: ended with {code}"

    def _write_while(self, client: Client, work: Callable[[], None]) -> Counter[str]:
        """How writes fared that were made without pause meanwhile."""
        over = threading.Event()
        outcomes: list[str] = []
        keys = count()

        def write() -> None:
            while not over.is_set():
                outcomes.append(outcome := client.write(str(next(keys))))
                if outcome == NOT_ACCEPTED:
                    over.wait(0.01)

        writers = [threading.Thread(target=write) for _ in range(CLIENTS)]
        for writer in writers:
            writer.start()
        try:
            work()
        finally:
            over.set()
            for writer in writers:
                writer.join()
        return Counter(outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    address: str
    token: str

    def write(self, key: str) -> str:
        """Make a person, and say how it went. A connection that is refused was never accepted: whoever balances the load asks another process."""
        try:
            answer = self._ask(WRITE, key=key)
        except urllib.error.HTTPError as error:
            return f"failed: {error.code}"
        except urllib.error.URLError as error:
            is_refused = isinstance(error.reason, ConnectionRefusedError)
            return NOT_ACCEPTED if is_refused else f"failed: {error.reason}"
        except OSError as error:
            return f"failed: {error}"
        return ANSWERED if answer == {"data": {"upsertSubscribers": {"created": 1}}} else f"failed: {answer}"

    def people(self) -> int:
        found: int = self._ask(PEOPLE)["data"]["viewer"]["workspace"]["subscriberCount"]
        return found

    def _ask(self, query: str, **variables: str) -> dict[str, Any]:  # Any: JSON
        request = urllib.request.Request(
            f"{self.address}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=10):
            return True
    except OSError:
        return False


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
