"""A tiny process that outlives its owner, to end the servers when the owner is killed.

It reads a pipe whose other end only the owner holds, so that the end of the owner, however it comes, is the end of the pipe. Then it
ends whatever still works in the state folder.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path


class Guardian:
    """The owner's side: as long as it is open, the servers live."""

    def __init__(self, state: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # this very file
            [sys.executable, __file__, str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def close(self) -> None:
        """Let it look once more for servers, and wait for its end."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """`guardian.py STATE`: wait for the end of standard input, then end the folder's servers."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(4096):
        continue
    from audience_gql.embedded.leftovers import stop_leftovers  # noqa: PLC0415  # only now is it needed, and found

    stop_leftovers(Path(sys.argv[1]))


if __name__ == "__main__":
    sys.path[0] = str(
        Path(__file__).parents[2]
    )  # instead of this folder, whose modules are no top-level ones
    main()
