"""What front ends generate from schema.graphql and docs/operations compiles under `tsc --strict`, a condition sent back included."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import npm

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_FILES = ("codegen.json", "tsconfig.json", "use.ts")


@pytest.fixture(scope="module")
def checkout(node, tmp_path_factory):
    """The parts of the repository that a front end has, with the console's tools; and how they are run."""
    root = tmp_path_factory.mktemp("front end")
    shutil.copytree(_ROOT / "docs" / "operations", root / "docs" / "operations")
    shutil.copy(_ROOT / "schema.graphql", root)
    folder = root / "tests" / "clients"
    folder.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(_HERE / name, folder)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join((str(node.program.parent), os.environ.get("PATH", os.defpath)))
        return subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )

    npm.install(node, _ROOT)
    (folder / "node_modules").symlink_to(_ROOT / "node_modules")
    generated = run(
        str(node.program), "node_modules/@graphql-codegen/cli/cjs/bin.js", "--config", "codegen.json"
    )
    assert generated.returncode == 0, generated.stdout + generated.stderr
    return folder, lambda: run(str(node.program), "node_modules/typescript/bin/tsc", "--strict", "-p", ".")


def test_the_scalars_are_those_for_every_front_end():
    config = json.loads((_HERE / "codegen.json").read_text(encoding="utf-8"))

    scalars = json.loads((_ROOT / "clients" / "scalars.json").read_text(encoding="utf-8"))
    assert config["generates"]["generated/"]["config"]["scalars"] == scalars


@pytest.mark.browser
def test_what_is_generated_compiles(checkout):
    _, compiled = checkout

    done = compiled()

    assert done.returncode == 0, done.stdout


@pytest.mark.browser
@pytest.mark.parametrize(
    ("honest", "wrong"),
    [
        ("createSegment.revision", "createSegment.id"),
        ("condition: { any: [createSegment.condition", "condition: { any: ['createSegment.condition'"),
        ("edge.node.email", "edge.node.phone"),
    ],
)
def test_what_is_wrong_does_not(checkout, honest, wrong):
    folder, compiled = checkout
    file = folder / "use.ts"
    text = file.read_text(encoding="utf-8")
    assert honest in text
    file.write_text(text.replace(honest, wrong), encoding="utf-8")

    done = compiled()

    file.write_text(text, encoding="utf-8")
    assert done.returncode != 0
    assert "use.ts" in done.stdout
