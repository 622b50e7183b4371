"""A small process that outlives ours by a moment: when we are gone, however we went, it stops the servers.

It blocks on a pipe whose other end only we hold, and which the kernel closes at our death, SIGKILL included. It also holds
the lock of the state folder, so that nobody starts new servers there while it stops the old ones.
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
    """Our side: the process stands guard from the beginning to `dismiss`."""

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
        """Lets it do its work now, which is little once the servers have ended, and waits for it."""
        self._process.communicate()


def main(folder: str, fate: str) -> None:
    """The guardian's side: waits for the end of standard input, then stops what runs on the folder."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    sys.stdin.buffer.read()
    stop_leftovers(Path(folder))
    if fate == "remove":
        shutil.rmtree(folder)
