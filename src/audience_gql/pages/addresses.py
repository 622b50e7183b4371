"""Which address each page and its files have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from audience_gql.pages.serving import CONSOLE, PLAYGROUND, Page, send_file, send_page

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

CONSOLE_PATHS: Final = (
    "/",
    "/sign-in",
    "/segments/new",
    "/segments/{id}",
    "/segments/{id}/edit",
    "/segments/{id}/leaving",
    "/segments/{id}/export",
    "/automations",
    "/automations/new",
    "/automations/{id}",
    "/automations/{id}/edit",
    "/compare",
    "/advice",
    "/imports",
    "/imports/{id}",
    "/people",
    "/people/new",
    "/people/{id}",
    "/people/{id}/edit",
    "/groups",
    "/groups/new",
    "/groups/{id}",
    "/groups/{id}/edit",
    "/administration",
    "/administration/webhooks",
    "/administration/webhooks/new",
    "/administration/webhooks/{id}",
    "/administration/webhooks/{id}/edit",
    "/administration/deliveries/{id}",
    "/administration/tokens",
    "/administration/tokens/new",
    "/administration/fields",
    "/administration/fields/new",
    "/administration/trail",
)
"""The addresses of the console's pages, as in console/src/paths.ts. They all get the same page, which reads its address."""
_PATHS: Final = {CONSOLE: CONSOLE_PATHS, PLAYGROUND: ("/graphiql",)}


def endpoints(names: Collection[str]) -> Iterator[tuple[str, Endpoint]]:
    """The paths of these pages and of their files, each with what answers there. The others stay unknown paths."""
    for page, paths in _PATHS.items():
        if page.name in names:
            yield from ((path, _page(page)) for path in paths)
            yield f"/{page.folder}/{{name}}", _file(page)


def _page(page: Page) -> Endpoint:
    async def answer(request: Request) -> Response:
        return send_page(request, page)

    return answer


def _file(page: Page) -> Endpoint:
    async def answer(request: Request) -> Response:
        return send_file(request, page, str(request.path_params["name"]))

    return answer
