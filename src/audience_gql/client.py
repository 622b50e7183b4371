"""A client over HTTP: sends one document to a running server and returns its answer, or gets a sign-in link. It must not know the server's code."""

from __future__ import annotations

import http.client
import json
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from audience_gql.config import Client

TIMEOUT_SECONDS: Final = 60.0
"""Longer than the server takes at most: 10 s in the queue and 30 s for the operation."""
_SHOWN_CHARACTERS: Final = 200
_NOT_HERE: Final = {http.client.NOT_FOUND, http.client.METHOD_NOT_ALLOWED}
"""How a server answers at another address than that of its API."""
_URL: Final = re.compile(r"https?://[^/\s]", re.IGNORECASE)
_THIS_MACHINE: Final = {"127.0.0.1", "::1", "localhost"}


class NotAnswered(Exception):
    """The server cannot be reached, or what it sent is no GraphQL answer. The message says why, and does not contain the token."""


def ask(
    client: Client,
    document: str,
    variables: Mapping[str, object],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> dict[str, Any]:  # Any: JSON
    """The answer to a query or mutation: an object with `data`, `errors` or both, whatever its HTTP status.

    Raises NotAnswered. It gives up when the server is silent for `timeout_seconds`.
    """
    _check(client)
    body = json.dumps({"query": document, "variables": variables}).encode()
    status, received = _post(client, body, timeout_seconds)
    try:
        answer = json.loads(received)
    except ValueError:
        answer = None
    if not _is_graphql(answer):
        shown = _in_a_line(received.decode(errors="replace"))
        hint = (
            f"; is {urljoin(client.url, '/graphql')} the address of the API?" if status in _NOT_HERE else ""
        )
        raise NotAnswered(f"{client.url} sent status {status} without a GraphQL answer: {shown}{hint}")
    found: dict[str, Any] = answer
    return found


def sign_in_link(client: Client, *, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """A link that signs a browser in with this client's token, once. Raises NotAnswered."""
    _check(client)
    asked = replace(client, url=urljoin(client.url, "sign-in/code"))
    status, received = _post(asked, b"", timeout_seconds)
    try:
        answer = json.loads(received)
        code, error = answer.get("code"), answer.get("error")
    except (ValueError, AttributeError):
        code, error = None, _in_a_line(received.decode(errors="replace"))
    if status != http.client.OK or not isinstance(code, str):
        raise NotAnswered(f"{asked.url} sent status {status} and no code: {error}")
    return f"{urljoin(client.url, 'sign-in')}#{code}"


def _check(client: Client) -> None:
    if not _URL.match(client.url):
        raise NotAnswered(
            f"{client.url!r} is not the URL of an endpoint; expected one such as http://127.0.0.1:8000/graphql"
        )
    if not client.token.isascii() or not client.token.isprintable():
        raise NotAnswered("the token contains characters that no token has; copy it again")


def _post(client: Client, body: bytes, timeout_seconds: float) -> tuple[int, bytes]:
    headers = {
        "accept": "application/graphql-response+json, application/json",
        "authorization": f"Bearer {client.token}",
        "content-type": "application/json",
    }
    try:
        request = urllib.request.Request(client.url, body, headers)  # noqa: S310  # _check has seen the scheme
        with _opener(client.url).open(request, timeout=timeout_seconds) as response:
            if location := response.headers.get("location"):
                raise NotAnswered(f"{client.url} redirects to {location}; use that URL")
            return response.status, response.read()
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise NotAnswered(f"{client.url} was silent for {timeout_seconds:g} s") from error
        raise NotAnswered(f"{client.url} does not answer: {_in_a_line(str(reason))}") from error


def _opener(url: str) -> urllib.request.OpenerDirector:
    """A server of this machine is asked directly, also when the environment names a proxy."""
    if urlsplit(url).hostname in _THIS_MACHINE:
        return urllib.request.build_opener(_AnyStatus, urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(_AnyStatus)


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Returns a response of any status. It follows no redirect, because the token is meant for the given server only."""

    def http_response(
        self,
        request: urllib.request.Request,  # noqa: ARG002  # named as in the base class
        response: http.client.HTTPResponse,
    ) -> http.client.HTTPResponse:
        return response

    https_response = http_response


def _in_a_line(text: str) -> str:
    return " ".join(text.split())[:_SHOWN_CHARACTERS]


def _is_graphql(answer: object) -> bool:
    if not isinstance(answer, dict):
        return False
    errors = answer.get("errors", [])
    return (
        bool({"data", "errors"} & answer.keys())
        and isinstance(errors, list)
        and all(isinstance(error, dict) and "message" in error for error in errors)
    )
