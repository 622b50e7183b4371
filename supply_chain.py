"""Lists the packages inside the product (CycloneDX), and asks the advisory services about all locked packages. Standard library only.

`python3 dev sbom`, `python3 dev audit` and the wheel's build (hatch_build.py) call it. The lists are read from the lock files, so making
one needs no network and always gives the same text.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tomllib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

ROOT: Final = Path(__file__).resolve().parent
WRITTEN: Final = ROOT / ".pages" / "audience-gql.cdx.json"
"""Where the wheel's build puts the list, before it is packed."""
PYTHON_LOCKS: Final = (Path("locks/runtime.txt"), Path("locks/dev.txt"))
NPM_LOCKS: Final = (Path("package-lock.json"), Path("examples/starter/package-lock.json"))
_PINNED: Final = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;\\]+)[^\n]*((?:\n +--hash=\S+(?: \\)?)*)", re.MULTILINE
)
_NAMESPACE: Final = uuid.UUID("6f0f6c1e-54a5-4f0c-9d7b-2d8a3b1c7e55")
_SILENT_SECONDS: Final = 120


Reader: TypeAlias = Callable[[dict[str, Any]], tuple[tuple[str, ...], str]]  # Any: JSON
"""From what a client prints to the known weaknesses, and why the answer is incomplete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What an advisory service said about a lock file."""

    lock: str
    known: tuple[str, ...]
    """The weaknesses, one sentence for each."""
    unanswered: str
    """Why there is no answer, or not for all packages; empty after a complete answer."""

    def __str__(self) -> str:
        if self.unanswered:
            return f"NOT AUDITED {self.lock}: the advisory service did not answer. {self.unanswered}"
        if self.known:
            return "\n".join([f"WEAK {self.lock}", *(f"  {it}" for it in self.known)])
        return f"ok {self.lock}: no known weaknesses"


def bill_of_materials() -> str:
    """The packages that the product installs or bundles, as CycloneDX 1.6 in JSON."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = str(project["name"]), str(project["version"])
    parts = [*_python_packages(), *_npm_packages()]
    own = {"type": "application", "name": name, "version": version, "bom-ref": f"pkg:pypi/{name}@{version}"}
    content = json.dumps([own, parts], sort_keys=True)
    listed = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}",
        "version": 1,
        "metadata": {"component": own},
        "components": parts,
        "dependencies": [{"ref": own["bom-ref"], "dependsOn": [it["bom-ref"] for it in parts]}],
    }
    return json.dumps(listed, indent=1) + "\n"


def audited(pip_audit: Path, npm: Sequence[str]) -> Iterator[Audited]:
    """What the services say about each lock file. Without npm, its lock files are left out."""
    for lock in PYTHON_LOCKS:
        command = [
            str(pip_audit),
            "--format",
            "json",
            "--progress-spinner",
            "off",
            "--disable-pip",
            "--no-deps",
            "-r",
            str(lock),
        ]
        yield _told(lock, command, _from_pip_audit)
    for lock in NPM_LOCKS if npm else ():
        command = [*npm, "audit", "--json", "--package-lock-only", "--prefix", str(lock.parent)]
        yield _told(lock, command, _from_npm)


def _python_packages() -> Iterator[dict[str, Any]]:  # Any: JSON
    text = (ROOT / PYTHON_LOCKS[0]).read_text(encoding="utf-8")
    for name, version, hashes in _PINNED.findall(text):
        digests = re.findall(r"--hash=sha256:(\w+)", hashes)
        yield _component(f"pkg:pypi/{name}@{version}", name, version, "SHA-256", digests)


def _npm_packages() -> Iterator[dict[str, Any]]:  # Any: JSON
    """The packages that the pages bundle. Those that only build them are left out."""
    found = json.loads((ROOT / NPM_LOCKS[0]).read_text(encoding="utf-8"))["packages"]
    for path, package in found.items():
        if not path.startswith("node_modules/") or package.get("dev") or package.get("link"):
            continue
        name, version = path.rpartition("node_modules/")[2], package["version"]
        digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
        made = _component(f"pkg:npm/{quote(name)}@{version}", name, version, "SHA-512", [digest])
        yield made | {"licenses": [{"expression": package["license"]}]} if "license" in package else made


def _component(
    purl: str, name: str, version: str, algorithm: str, digests: Sequence[str]
) -> dict[str, Any]:  # Any: JSON
    hashes = [{"alg": algorithm, "content": digest} for digest in digests]
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": purl,
        "bom-ref": purl,
        "hashes": hashes,
    }


def _told(lock: Path, command: Sequence[str], read: Reader) -> Audited:
    known: tuple[str, ...] = ()
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, stdin=subprocess.DEVNULL, capture_output=True,
            encoding="utf-8", timeout=_SILENT_SECONDS, check=False,
        )  # fmt: skip
        known, unanswered = read(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        unanswered = f"It was silent for {_SILENT_SECONDS} s."
    except (OSError, ValueError, KeyError, TypeError):
        unanswered = "Its client printed no result."
    return Audited(lock=str(lock), known=known, unanswered=unanswered)


def _from_pip_audit(told: dict[str, Any]) -> tuple[tuple[str, ...], str]:  # Any: JSON
    packages = told["dependencies"]
    skipped = [it["name"] for it in packages if "skip_reason" in it]
    known = tuple(
        f"{it['name']} {it['version']}: {weakness['id']}, fixed in {', '.join(weakness['fix_versions']) or 'no version'}"
        for it in packages
        for weakness in it.get("vulns", ())
    )
    return known, f"It says nothing about {len(skipped)} of {len(packages)} packages." if skipped else ""


def _from_npm(told: dict[str, Any]) -> tuple[tuple[str, ...], str]:  # Any: JSON
    if "vulnerabilities" not in told:
        status = told.get("statusCode")
        return (), f"Its status was {status}." if status else "It was not reached."
    return tuple(
        f"{name}: {it['severity']}, {it['range']}" for name, it in told["vulnerabilities"].items()
    ), ""
