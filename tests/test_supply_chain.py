"""The list of the packages inside the product, and how the words of the advisory services are read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import supply_chain

ROOT = Path(__file__).parents[1]


def test_the_list_has_every_package_that_is_installed_or_bundled_and_no_other():
    listed = json.loads(supply_chain.bill_of_materials())
    pinned = re.findall(
        r"^([\w.-]+)==(\S+)", (ROOT / "locks/runtime.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    names = {it["purl"]: it for it in listed["components"]}

    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    assert {it for it in names if it.startswith("pkg:pypi/")} == {
        f"pkg:pypi/{name}@{version}" for name, version in pinned
    }
    assert f"pkg:npm/react@{packages['node_modules/react']['version']}" in names
    assert f"pkg:npm/%40urql/core@{packages['node_modules/@urql/core']['version']}" in names
    assert not any(it.startswith(("pkg:npm/vite@", "pkg:npm/%40graphql-codegen")) for it in names)
    for component in names.values():
        assert component["hashes"], component
        assert all(re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{128}", it["content"]) for it in component["hashes"])
    assert listed["dependencies"][0]["dependsOn"] == list(names)


def test_the_list_is_the_same_each_time_and_names_no_registry():
    text = supply_chain.bill_of_materials()

    assert text == supply_chain.bill_of_materials()
    assert "://" not in text


PIP_AUDIT = {
    "fine": (
        {"dependencies": [{"name": "a", "version": "1", "vulns": []}]},
        "ok locks/runtime.txt: no known weaknesses",
    ),
    "weak": (
        {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}]},
        "WEAK locks/runtime.txt\n  a 1: X-1, fixed in 2",
    ),
    "silent": (
        {
            "dependencies": [
                {"name": "a", "skip_reason": "not found"},
                {"name": "b", "version": "1", "vulns": []},
            ]
        },
        "NOT AUDITED locks/runtime.txt: the advisory service did not answer. It says nothing about 1 of 2 packages.",
    ),
}


@pytest.mark.parametrize("name", PIP_AUDIT)
def test_what_pip_audit_says_is_told(tmp_path, name):
    printed, told = PIP_AUDIT[name]

    found = next(supply_chain.audited(program(tmp_path, json.dumps(printed)), ()))

    assert str(found) == told


NPM = {
    "fine": ('{"vulnerabilities": {}}', "ok package-lock.json: no known weaknesses"),
    "weak": (
        '{"vulnerabilities": {"a": {"severity": "high", "range": "<2"}}}',
        "WEAK package-lock.json\n  a: high, <2",
    ),
    "silent": (
        '{"statusCode": 405}',
        "NOT AUDITED package-lock.json: the advisory service did not answer. Its status was 405.",
    ),
    "broken": (
        "",
        "NOT AUDITED package-lock.json: the advisory service did not answer. Its client printed no result.",
    ),
}


@pytest.mark.parametrize("name", NPM)
def test_what_npm_says_is_told(tmp_path, name):
    printed, told = NPM[name]
    npm = program(tmp_path, printed)

    found = [*supply_chain.audited(npm, (str(npm),))]

    assert [it.lock for it in found] == [
        "locks/runtime.txt",
        "locks/dev.txt",
        "package-lock.json",
        "examples/starter/package-lock.json",
    ]
    assert str(found[2]) == told


def program(folder: Path, printed: str) -> Path:
    """A program that prints this."""
    made = folder / "program"
    made.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\n", encoding="utf-8")
    made.chmod(0o755)
    return made
