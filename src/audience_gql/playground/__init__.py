"""Serves the playground's page and files that were built into this package. Their sources are in `playground/` at the project's root.

It only serves files. The page sends its requests to the API with the visitor's token.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

_BUILT: Final = Path(__file__).with_name("built")
_PROBLEM: Final = Path(__file__).with_name("problem.txt")

_NAME: Final = re.compile(r"[\w-][\w.-]*\.(js|css|ttf)", re.ASCII)
_MEDIA_TYPES: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "ttf": "font/ttf",
}
_POLICY: Final = (
    # Monaco writes style elements and attributes, which only 'unsafe-inline' allows. Scripts do not get this permission.
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:15vh auto;max-width:36rem;padding:0 1rem;color-scheme:light dark}"
    "pre{white-space:pre-wrap;border-left:3px solid #c62828;padding-left:1rem}"
)
_WAITING_POLICY: Final = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_WAITING: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
    f'<title>audience-gql playground</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>'
    "<body><h1>The playground is not built yet</h1>{}<p>The API works already, at <code>/graphql</code>. "
    "This page reloads by itself.</p></body></html>"
)
_IS_COMING: Final = (
    "<p><code>python3 dev demo</code> and <code>up</code> build it in the background at their first start, which takes about "
    "a minute. In other cases, run <code>python3 dev playground</code>.</p>"
)


async def page(request: Request) -> Response:
    """The page. While it is not built, a page that says so and what is missing."""
    file = _BUILT / "index.html"
    if file.exists():
        return _file(request, file, "text/html; charset=utf-8", {"Cache-Control": "no-cache"})
    return _waiting()


async def asset(request: Request) -> Response:
    """A file that the page names. Its name changes with its content, so that clients may cache it for ever."""
    name = str(request.path_params["name"])
    matched = _NAME.fullmatch(name)
    file = _BUILT / "graphiql" / name
    if matched is None or not file.is_file():
        raise HTTPException(404)
    return _file(
        request, file, _MEDIA_TYPES[matched[1]], {"Cache-Control": "public, max-age=31536000, immutable"}
    )


def _file(request: Request, file: Path, media_type: str, headers: Mapping[str, str]) -> Response:
    told = {**_HEADERS, **headers, "Vary": "Accept-Encoding"}
    packed = file.with_name(f"{file.name}.gz")
    if _takes_gzip(request) and packed.is_file():
        file, told["Content-Encoding"] = packed, "gzip"
    return FileResponse(file, headers=told, media_type=media_type)


def _takes_gzip(request: Request) -> bool:
    offers = (it.replace(" ", "") for it in request.headers.get("accept-encoding", "").lower().split(","))
    return any(offer.partition(";")[0] == "gzip" and not offer.endswith(";q=0") for offer in offers)


def _waiting() -> Response:
    reason = _IS_COMING
    if _PROBLEM.exists():
        problem = html.escape(_PROBLEM.read_text(encoding="utf-8"))
        reason = f"<p>It could not be built:</p><pre>{problem}</pre><p><code>python3 dev playground</code> tries again.</p>"
    headers = {
        **_HEADERS,
        "Content-Security-Policy": _WAITING_POLICY,
        "Cache-Control": "no-store",
        "Retry-After": "2",
    }
    return HTMLResponse(_WAITING.replace("{}", reason), 503, headers)
