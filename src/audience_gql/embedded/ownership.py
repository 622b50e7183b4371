"""Hands files of ours to the account that the servers run as."""

from __future__ import annotations

import os
from pathlib import Path

from audience_gql.embedded.account import Account


def give(path: Path, account: Account) -> None:
    """Make the account the owner of one file or folder; nothing to do where it is the caller's own."""
    if account.is_other:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def give_tree(folder: Path, account: Account) -> None:
    """The same for a folder with everything in it."""
    give(folder, account)
    for path in folder.rglob("*"):
        give(path, account)
