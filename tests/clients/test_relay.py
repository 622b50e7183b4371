"""Relay's compiler accepts documents against schema.graphql, and what it makes of them is valid for the server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from audience_gql.api.documents.documents import RefusedDocument
from audience_gql.api.schema import Schema
from tests import npm

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_TEXT = re.compile(r'^\s*"text": ("(?:[^"\\]|\\.)*")', re.MULTILINE)

pytestmark = pytest.mark.browser


@pytest.fixture
def front_end(node, tmp_path):
    """A front end with Relay's configuration, and how its documents are compiled."""
    npm.install(node, _HERE / "runtime")
    folder = tmp_path / "front end"
    shutil.copytree(_HERE / "relay", folder)
    shutil.copy(_ROOT / "schema.graphql", folder)
    (folder / "src" / "__generated__").mkdir()

    def compiled() -> subprocess.CompletedProcess[str]:
        program = _HERE / "runtime" / "node_modules" / "relay-compiler" / "cli.js"
        return subprocess.run(
            (node.program, program, "relay.config.json"),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    return folder / "src", compiled


def test_documents_compile_to_what_the_server_takes(front_end):
    source, compiled = front_end

    done = compiled()

    assert done.returncode == 0, done.stdout + done.stderr
    texts = {file.name: sent(file) for file in (source / "__generated__").iterdir()}
    operations = {name: text for name, text in texts.items() if text is not None}
    assert operations.keys() == {
        f"Members{name}.graphql.ts"
        for name in ("Query", "PaginationQuery", "NodeQuery", "CreateMutation", "Subscription")
    }
    documents = Schema().documents
    for text in operations.values():
        prepared = documents.prepare(text)
        assert not isinstance(prepared, RefusedDocument), prepared.errors


@pytest.mark.parametrize(
    "name", ['Members_segment @alias(as: "segment")', 'Members_failure @alias(as: "failure")']
)
def test_a_fragment_on_one_type_of_a_union_needs_an_alias(front_end, name):
    source, compiled = front_end
    file = source / "Members.ts"
    file.write_text(file.read_text(encoding="utf-8").replace(name, name.split()[0]), encoding="utf-8")

    done = compiled()

    assert done.returncode != 0
    assert "Expected `@alias` directive" in done.stdout + done.stderr


def sent(artifact: Path) -> str | None:
    """The document that Relay sends for an artifact; None for a fragment's."""
    found = _TEXT.search(artifact.read_text(encoding="utf-8"))
    return None if found is None else str(json.loads(found[1]))
