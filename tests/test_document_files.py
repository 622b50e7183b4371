"""Documents are found in folders and in the manifests of client tools, exactly as they are, or the file and the reason are named."""

from __future__ import annotations

import hashlib
import json

import pytest

from audience_gql.document_files import UnreadableFile, documents_in

TEXT = "query A {\r\n  __typename\r\n}\n"
HASH = hashlib.sha256(TEXT.encode()).hexdigest()
APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [{"id": HASH, "name": "A", "type": "query", "body": TEXT}],
}


def test_a_folder_s_documents_are_found_at_any_depth(tmp_path):
    (tmp_path / "deep").mkdir()
    for hidden in ("node_modules", ".cache"):
        (tmp_path / hidden).mkdir()
        (tmp_path / hidden / "not.graphql").write_text("{ no }")
    (tmp_path / "deep" / "b.graphql").write_bytes(TEXT.encode())
    (tmp_path / "a.gql").write_bytes(b"{ a }")
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "persisted-documents.json").write_text(json.dumps({f"sha256:{HASH}": TEXT}))

    found = documents_in(tmp_path)

    assert [source.text for source in found] == ["{ a }", TEXT, TEXT]
    assert [source.place.removeprefix(str(tmp_path)) for source in found] == [
        "/a.gql", "/deep/b.graphql", f"/persisted-documents.json: sha256:{HASH}"
    ]  # fmt: skip


@pytest.mark.parametrize("content", [APOLLO, {HASH: TEXT}, {f"sha256:{HASH}": TEXT}])
def test_a_manifest_may_have_any_name(tmp_path, content):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))

    assert [source.text for source in documents_in(file)] == [TEXT]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "the file is not JSON"),
        ("[]", "a manifest is a JSON object"),
        ("{}", "there are no documents"),
        (json.dumps({hashlib.sha1(TEXT.encode()).hexdigest(): TEXT}), "is not the SHA-256 of its document"),  # noqa: S324  # the default of a client's tool
        (json.dumps({HASH: 1}), "is not a document's text"),
        (json.dumps(APOLLO | {"version": 2}), "the format of the manifest is not"),
        (json.dumps({"format": "other", "operations": []}), "the format of the manifest is not"),
        (json.dumps(APOLLO | {"operations": [{"id": HASH}]}), "operation 0 of the manifest has no id or no body"),
    ],
)  # fmt: skip
def test_another_file_is_refused_by_its_name(tmp_path, content, reason):
    file = tmp_path / "mine.json"
    file.write_text(content)

    with pytest.raises(UnreadableFile, match=reason) as refused:
        documents_in(file)

    assert str(refused.value).startswith(str(file))


def test_a_document_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "a.graphql").write_bytes(b"\xff")

    with pytest.raises(UnreadableFile, match="not UTF-8"):
        documents_in(tmp_path)
