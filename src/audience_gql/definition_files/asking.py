"""Asks a server about definitions. Whatever it refuses is told at its place in the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from audience_gql.client import ask
from audience_gql.config import Client
from audience_gql.definition_files.folders import Folder, Problem, Problems

Json: TypeAlias = Mapping[str, Any]  # Any: JSON
TIMEOUT_SECONDS: Final = 120.0
_DEFINITIONS: Final = "{ definitions { kind name revision content } }"
_PLAN: Final = """query ($definitions: DefinitionsInput!) { planDefinitions(definitions: $definitions) {
  __typename
  ... on DefinitionsPlan { id unchanged unmanaged { kind name } changes {
    kind action name revision parts before after linesAdded linesRemoved usedBy automations
    movement { memberCount margin entering leaving starts { automation on people isAtMost } }
  } }
  ... on InvalidInput { issues { message path } }
} }"""
_APPLY: Final = """mutation ($definitions: DefinitionsInput!, $ifPlan: String) {
  applyDefinitions(input: {definitions: $definitions, ifPlan: $ifPlan}) {
    __typename
    ... on ApplyDefinitionsPayload { changes { kind action name } unchanged }
    ... on UserError { message }
    ... on InvalidInput { issues { message path } }
} }"""
_SHAPE: Final = "BAD_USER_INPUT"
_LAYERS: Final = ("input", "definitions")
"""What paths begin with before they come to the parts of a set."""


class NotAsked(Exception):
    """The server refused the question. The message says why."""


class Outdated(Exception):
    """The definitions have changed since the plan was made. Nothing was applied."""


def definitions_of(client: Client) -> list[Json]:
    """All definitions of the workspace. Raises NotAnswered, NotAsked."""
    found: list[Json] = _data(ask(client, _DEFINITIONS, {}, timeout_seconds=TIMEOUT_SECONDS))["definitions"]
    return found


def plan_of(client: Client, folder: Folder, *, prune: bool) -> Json:
    """What applying the folder would change. Raises Problems, NotAnswered, NotAsked.

    A server names only the first few values of a wrong shape, so the files that have them are put aside, and the rest is asked again.
    """
    problems = list(folder.problems)
    rest = folder
    while True:
        variables = {"definitions": {**rest.definitions(), "prune": prune}}
        answer = ask(client, _PLAN, variables, timeout_seconds=TIMEOUT_SECONDS)
        found = _misshapen(answer, rest)
        if not found:
            break
        problems += found
        rest = rest.without([problem.file for problem in found])
    if problems:
        raise Problems(problems)
    return _checked(_data(answer)["planDefinitions"], folder)


def apply(client: Client, folder: Folder, *, prune: bool, plan_id: str) -> Json:
    """Apply the folder if this plan still holds. Raises Outdated, Problems, NotAnswered, NotAsked."""
    variables = {"definitions": {**folder.definitions(), "prune": prune}, "ifPlan": plan_id}
    answer = ask(client, _APPLY, variables, timeout_seconds=TIMEOUT_SECONDS)
    result: Json = _data(answer)["applyDefinitions"]
    if result["__typename"] == "PlanConflict":
        raise Outdated(result["message"])
    return _checked(result, folder)


def _misshapen(answer: Json, folder: Folder) -> list[Problem]:
    """The values of the files that do not have the shape of the API's inputs."""
    placed = [
        folder.place(_within(issue["path"]), issue["message"])
        for error in answer.get("errors", ())
        if error.get("extensions", {}).get("code") == _SHAPE
        for issue in error["extensions"].get("issues", ())
    ]
    return [problem for problem in placed if problem is not None]


def _checked(result: Json, folder: Folder) -> Json:
    """The result itself. Raises Problems if it says that the set is wrong."""
    if result["__typename"] != "InvalidInput":
        return result
    problems = []
    for issue in result["issues"]:
        path = _within(issue["path"])
        placed = folder.place(path, issue["message"])
        problems.append(placed or Problem(file=".", line=1, path=".".join(path), message=issue["message"]))
    raise Problems(problems)


def _within(path: list[str]) -> list[str]:
    while path and path[0] in _LAYERS:
        path = path[1:]
    return path


def _data(answer: Json) -> Json:
    if errors := answer.get("errors"):
        raise NotAsked("; ".join(error["message"] for error in errors))
    data: Json = answer["data"]
    return data
