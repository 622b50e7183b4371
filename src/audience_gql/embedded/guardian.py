"""A small process that stops the servers after the owning process ended in any way, even by SIGKILL.

It blocks on a pipe whose other end only the owning process holds. The kernel closes that end at the owner's death. The
guardian also holds the lock of the state folder, so that no new servers start there while it stops the old ones.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from audience_gql.embedded.leftovers import stop_leftovers
from audience_gql.embedded.state import StateFolder

_MAIN = f"import sys; sys.path.insert(0, sys.argv[1]); from {__name__} import main; main(*sys.argv[2:])"


class Guardian:
    """The owner's side. The guardian process runs from the creation of this object until `dismiss`."""

    def __init__(self, folder: StateFolder, *, remove_folder: bool) -> None:
        fate = "remove" if remove_folder else "keep"
        with folder.open_log("guardian.log") as log:
            self._process = subprocess.Popen(  # noqa: S603  # this very file
                [sys.executable, "-S", "-P", "-c", _MAIN, Path(__file__).parents[2], folder.path, fate],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                pass_fds=[folder.lock],
            )

    def dismiss(self) -> None:
        """Makes the guardian stop remaining servers now, and waits until it ends."""
        self._process.communicate()


def main(folder: str, fate: str) -> None:
    """The guardian's side. Waits for the end of standard input, then stops all servers that work in the folder."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    sys.stdin.buffer.read()
    stop_leftovers(Path(folder))
    if fate == "remove":
        shutil.rmtree(folder)
