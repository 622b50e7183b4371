"""What docs/api.md says beside its operations: a socket's messages, a line of curl, and the names of events."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from typing import Any

import httpx

from audience_gql.audience.people.consent import REFUSAL_OF_EVENT
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.dependencies import reads
from audience_gql.conditions.templates import TEMPLATES
from audience_gql.conditions.vocabulary import PLAIN_IDS, FieldRef, Vocabulary
from tests.api.test_socket import opened, received, send
from tests.api.test_sse import Stream
from tests.pages import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^([→←]) (\{.*\})$", PAGE, re.MULTILINE)
ANYTHING = Vocabulary(
    fields={"company_size": FieldRef(id=1, key="company_size", type="NUMBER")},
    group_ids=(),
    segment_ids=(),
    event_names={},
    timezone="UTC",
)


async def test_a_socket_s_conversation_is_as_shown(server, served):
    cursors: dict[str, str] = {}
    batches = 0
    group = await served.group("Friends")
    async with opened(server) as socket:
        for arrow, text in MESSAGES:
            if arrow == "→":
                await send(socket, text.replace("agq_…", (await served.token()).strip()))
                continue
            shown = json.loads(text)
            assert numbered(await received(socket), cursors) == shown
            if shown["type"] == "next" and (batches := batches + 1) == 1:
                await served.upsert({"externalId": "ada", "addToGroupIds": [group]})
                await served.tick()

    assert [arrow for arrow, _ in MESSAGES] == [*"→←→←←→←→"]
    assert [*cursors.values()] == ["c0", "c1"]


def numbered(message: dict[str, Any], cursors: dict[str, str]) -> dict[str, Any]:
    """The message with `c0`, `c1` … in the place of its cursors."""
    batch = message.get("payload", {}).get("data", {}).get("membershipChanges", {})
    for name in ("after", "cursor") if batch else ():
        batch[name] = cursors.setdefault(batch[name], f"c{len(cursors)}")
    return message


async def test_the_line_of_curl_opens_a_stream(server, served):
    (line,) = re.findall(r"^curl -N .*$", PAGE, re.MULTILINE)
    told = {"$AUDIENCE_URL": f"{server.url}/graphql", "$AUDIENCE_TOKEN": await served.token("READ")}
    words = shlex.split(line)[2:]
    url, headers, (body,) = words[0], values(words, "-H"), values(words, "-d")
    assert len(words) == 1 + 2 * len(headers) + 2

    sent = dict(
        re.split(r": ", header.replace("$AUDIENCE_TOKEN", told["$AUDIENCE_TOKEN"])) for header in headers
    )
    async with (
        httpx.AsyncClient() as client,
        client.stream("POST", told[url], headers=sent, content=body.encode()) as response,
    ):
        first = await Stream(response).next()

    assert first.kind == "next"
    assert first.batch["changes"] == []


def values(words: list[str], option: str) -> list[str]:
    return [value for word, value in pairwise(words) if word == option]


def test_the_names_of_events_that_mean_something_are_all_listed():
    section = PAGE.partition("### Names of events that mean something here\n")[2].partition("\n### ")[0]
    listed = {
        name: does for name, _, does in re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section, re.MULTILINE)
    }

    templates: dict[str, list[str]] = {}
    for template in TEMPLATES:
        for read in reads(parse(template.condition, vocabulary=ANYTHING, ids=PLAIN_IDS)):
            if read.source == "event":
                templates.setdefault(str(read.ref), []).append(f"`{template.key}`")
    assert listed == {
        **{name: f"sets the channel EMAIL to {status}" for name, status in REFUSAL_OF_EVENT.items()},
        **{name: f"templates: {', '.join(keys)}" for name, keys in templates.items()},
    }
