"""Sends a built page and the files that it names, with their headers. While a page is not built, it sends one that says so."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

_BUILT: Final = Path(__file__).with_name("built")
_PROBLEM: Final = Path(__file__).with_name("problem.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page with a folder of files."""

    name: str
    folder: str
    """The name of the files' folder, on the disk and in their addresses."""
    styles: str
    """Where its styles may come from, as in a content security policy."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the page and of its files: a worker's policy is that of its own file."""
        policy = (
            "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
            f"style-src {self.styles}; img-src 'self' data:; font-src 'self' data:; "
            "base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
        )
        return {**_HEADERS, "Content-Security-Policy": policy}


CONSOLE: Final = Page(name="console", folder="console", styles="'self'")
PLAYGROUND: Final = Page(
    name="playground",
    folder="graphiql",
    # Monaco writes style elements and attributes, which only 'unsafe-inline' allows. Scripts do not get this permission.
    styles="'self' 'unsafe-inline'",
)

_NAME: Final = re.compile(r"[\w-][\w.-]*\.(js|css|json|ttf|woff2)", re.ASCII)
_MEDIA_TYPES: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "ttf": "font/ttf",
    "woff2": "font/woff2",
}
_HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""What only pages need. Every answer of the web process has further headers: see docs/headers.md."""
_BASE: Final = '<base href="./"'
"""What the console's page has where the server writes the way from its address to the root."""

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:15vh auto;max-width:36rem;padding:0 1rem;color-scheme:light dark}"
    "pre{white-space:pre-wrap;border-left:3px solid #c62828;padding-left:1rem}"
)
_RELOAD: Final = "setTimeout(() => location.reload(), 2000)"
"""A refresh by <meta> would only go to the same place in the page if the address has a part behind #, as a sign-in link does."""
_WAITING: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f'<title>audience-gql {{name}}</title><link rel="icon" href="data:,"><style>{_STYLE}</style><script>{_RELOAD}</script></head>'
    "<body><h1>The {name} is not built yet</h1>{reason}<p>The API works already, at <code>/graphql</code>. "
    "This page reloads by itself.</p></body></html>"
)
_IS_COMING: Final = (
    "<p><code>python3 dev demo</code> and <code>up</code> build it in the background at their first start, which takes about "
    "a minute. In other cases, run <code>python3 dev pages</code>.</p>"
)


def built(page: Page) -> Path:
    """The folder of what the build made of a page. It may be missing."""
    return _BUILT / page.name


def send_page(request: Request, page: Page) -> Response:
    """The page. While it is not built, a page that says so and what is missing."""
    file = built(page) / "index.html"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _waiting(page)
    depth = str(request.scope["path"]).count("/") - 1
    way = "../" * depth or "./"
    return HTMLResponse(
        text.replace(_BASE, f'<base href="{way}"', 1), headers={**page.headers, "Cache-Control": "no-cache"}
    )


def send_file(request: Request, page: Page, name: str) -> Response:
    """A file that the page names. Its name changes with its content, so that clients may cache it for ever."""
    matched = _NAME.fullmatch(name)
    file = built(page) / page.folder / name
    if matched is None or not file.is_file():
        return nothing_here()
    told = {
        **page.headers,
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
    }
    packed = file.with_name(f"{name}.gz")
    if _takes_gzip(request) and packed.is_file():
        file, told["Content-Encoding"] = packed, "gzip"
    return FileResponse(file, headers=told, media_type=_MEDIA_TYPES[matched[1]])


def nothing_here() -> Response:
    """The answer for a path that leads nowhere."""
    error = "there is nothing at this path; the API is at /graphql"
    return JSONResponse({"error": error}, HTTPStatus.NOT_FOUND)


def _takes_gzip(request: Request) -> bool:
    offers = (it.replace(" ", "") for it in request.headers.get("accept-encoding", "").lower().split(","))
    return any(offer.partition(";")[0] == "gzip" and not offer.endswith(";q=0") for offer in offers)


def _hash(text: str) -> str:
    """What a policy calls this inline style or script, and only this one."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _waiting(page: Page) -> Response:
    reason = _IS_COMING
    if _PROBLEM.exists():
        problem = html.escape(_PROBLEM.read_text(encoding="utf-8"))
        reason = f"<p>It could not be built:</p><pre>{problem}</pre><p><code>python3 dev pages</code> tries again.</p>"
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"style-src {_hash(_STYLE)}; script-src {_hash(_RELOAD)}"
    )
    headers = {
        **_HEADERS,
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Retry-After": "2",
    }
    text = _WAITING.replace("{name}", page.name).replace("{reason}", reason)
    return HTMLResponse(text, HTTPStatus.SERVICE_UNAVAILABLE, headers)
