"""The compose file and the image say what a deployment needs, and nothing that is secret; and the same commands run without Docker."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from audience_gql import cli
from audience_gql.config import settings_from_environment
from deploy import without_docker

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SCRIPT = ROOT / "deploy/without_docker.py"
GIVEN = {"POSTGRES_PASSWORD": "given", "AUDIENCE_SECRET_KEY": "given too"}
OURS = ("migrate", "web", "worker")
MORE = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "deploy").glob("compose.*.yml")}
"""Files that are given to compose after docker-compose.yml, by name."""
MORE_GIVEN = {
    "compose.tls.yml": {"AUDIENCE_DOMAIN": "audience.example"},
    "compose.backup.yml": {"AUDIENCE_BACKUP_FOLDER": "/srv/backups", "POSTGRES_PASSWORD": "given"},
}


def read(environment: dict[str, str]) -> dict:
    return without_docker.read_services(TEXT, environment)


def test_it_has_the_servers_and_the_processes():
    services = read(GIVEN)

    assert set(services) == {"postgres", "valkey", *OURS}
    assert services["postgres"]["image"] == "postgres:18"
    assert services["valkey"]["image"].startswith("valkey/valkey:")
    assert {services[name]["image"] for name in OURS} == {"audience-gql"}


@pytest.mark.parametrize("missing", GIVEN)
def test_nothing_starts_without_its_secrets(missing):
    with pytest.raises(KeyError, match=missing):
        read({name: value for name, value in GIVEN.items() if name != missing})


@pytest.mark.parametrize("text", [TEXT, *MORE.values()], ids=["docker-compose.yml", *MORE])
def test_nothing_in_a_file_is_secret(text):
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in lines:
        found = re.match(r"\s*(\w*(?:PASSWORD|SECRET|TOKEN|KEY)\w*): *(\S.*)", line)
        assert not found or found[2].startswith("${"), line
        assert not re.search(r"://\w+:(?!\$\{)\w+@", line), line


@pytest.mark.parametrize("name", OURS)
def test_our_commands_are_commands(name):
    program, *words = read(GIVEN)[name]["command"]

    assert program == "audience-gql"
    assert cli._parser().parse_args(words).run


class Asked(dict):
    """An environment that has what must be given, and remembers what it was asked for."""

    def get(self, name, default=None):
        self[name] = "given" if name in ("DATABASE_URL", "REDIS_URL") else default
        return self[name]


def test_every_setting_is_handed_on_and_documented():
    asked = Asked()
    settings_from_environment(asked)
    page = (ROOT / "docs/howto/operate.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", page, re.MULTILINE)

    assert sorted(name for row in rows for name in re.findall(r"[A-Z_]+", row)) == sorted(asked)
    for name in OURS:
        handed_on = [it for it in read(GIVEN)[name]["environment"] if not it.startswith("OTEL_")]
        assert sorted(handed_on) == sorted(asked)


@pytest.mark.parametrize("name", ["postgres", "valkey", "web", "worker"])
def test_whatever_stays_is_watched(name):
    service = read(GIVEN)[name]

    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["web", "worker"])
def test_the_schema_comes_first(name):
    services = read(GIVEN)

    assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert services[name]["stop_grace_period"] == "30s"


def test_only_this_machine_reaches_the_web_process_without_the_proxy():
    published = {name: service["ports"] for name, service in read(GIVEN).items() if "ports" in service}

    assert published == {"web": ["127.0.0.1:8000:8000"]}


@pytest.mark.parametrize("name", MORE)
def test_a_file_that_is_added_fits_the_first_one(name):
    added = without_docker.read_services(MORE[name], MORE_GIVEN[name])

    there = read(GIVEN)
    known = {service: added.pop(service) for service in list(added) if service in there}
    for service in known.values():
        assert service.keys() == {"environment"}
    for service in added.values():
        assert {*service["depends_on"]} <= there.keys()
        assert all("healthcheck" in there[needed] for needed in service["depends_on"])
        assert service["restart"] == "unless-stopped"
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        for source in [volume.split(":")[0] for volume in service["volumes"]]:
            assert not source.startswith("./") or (ROOT / source).is_file(), source
    for missing in MORE_GIVEN[name]:
        given = {key: value for key, value in MORE_GIVEN[name].items() if key != missing}
        with pytest.raises(KeyError, match=missing):
            without_docker.read_services(MORE[name], given)


def test_the_proxy_leads_to_the_web_process_and_hides_what_is_for_operators():
    text = (ROOT / "deploy/Caddyfile").read_text(encoding="utf-8")
    command = read(GIVEN)["web"]["command"]

    (upstream,) = re.findall(r"reverse_proxy (\S+) \{", text)
    assert upstream == f"web:{command[command.index('--port') + 1]}"
    assert "@inside path /metrics /readyz\n\trespond @inside 404" in text
    assert "health_uri /healthz" in text
    assert text.count("{") == text.count("}")
    assert "{$AUDIENCE_DOMAIN}" in text
    assert (
        "AUDIENCE_DOMAIN"
        in without_docker.read_services(MORE["compose.tls.yml"], MORE_GIVEN["compose.tls.yml"])["proxy"][
            "environment"
        ]
    )


def test_the_web_process_believes_the_proxy_and_nobody_else():
    text = MORE["compose.tls.yml"]
    services = without_docker.read_services(text, MORE_GIVEN["compose.tls.yml"])
    (subnet,) = re.findall(r"subnet: .*:-(.*)\}", text)
    address = services["proxy"]["networks"]["default"]["ipv4_address"]

    assert services["web"]["environment"] == {"FORWARDED_ALLOW_IPS": address}
    assert ip_address(address) in ip_network(subnet)
    assert "Strict-Transport-Security" not in re.sub("(?m)^#.*", "", (ROOT / "deploy/Caddyfile").read_text())


@pytest.mark.parametrize("name", OURS)
def test_our_processes_may_do_little(name):
    service = read(GIVEN)[name]

    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "10001"


def test_the_image_is_made_of_what_is_there():
    instructions = DOCKERFILE.replace("\\\n", " ").splitlines()
    copies = [
        shlex.split(line)[1:-1] for line in instructions if line.startswith("COPY") and "--from" not in line
    ]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    for source in (source.removeprefix("./") for sources in copies for source in sources):
        assert (ROOT / source).exists(), source
        assert f"!{source.split('/')[0]}" in ignored, source
    assert all("--require-hashes" in line for line in instructions if "-r locks/" in line)


@pytest.mark.faults
def test_the_same_processes_run_without_docker_and_lose_no_request():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"(\d+) writes while it was stopped: .*'answered': (\d+).*; (\d+) people", done.stdout)
    assert told is not None, done.stdout
    assert int(told[1]) > int(told[2]) == int(told[3]) > 0
