"""The operations that the documentation offers keep the recommended rules of GraphQL-ESLint."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import npm

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]

pytestmark = pytest.mark.browser


@pytest.fixture
def folder(node, tmp_path):
    npm.install(node, _HERE / "runtime")
    (tmp_path / "node_modules").symlink_to(_HERE / "runtime" / "node_modules")
    shutil.copy(_HERE / "eslint.config.mjs", tmp_path)
    shutil.copy(_ROOT / "schema.graphql", tmp_path)
    shutil.copytree(_ROOT / "docs/operations", tmp_path / "operations")
    return tmp_path


def linted(node, folder: Path) -> subprocess.CompletedProcess[str]:
    program = folder / "node_modules/eslint/bin/eslint.js"
    return subprocess.run(
        (node.program, program, "operations"), cwd=folder, capture_output=True, text=True, check=False
    )


def test_they_have_no_errors_and_an_error_is_found(node, folder):
    done = linted(node, folder)
    (folder / "operations/planted.graphql").write_text("query Planted { viewer { workspace { title } } }")
    planted = linted(node, folder)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert planted.returncode == 1
    assert 'Cannot query field "title" on type "Workspace"' in planted.stdout
