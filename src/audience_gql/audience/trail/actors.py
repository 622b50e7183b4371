"""Who changes a definition: a token, the command line, or the server itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

ActorKind: TypeAlias = Literal["TOKEN", "COMMAND_LINE", "SERVER"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    kind: ActorKind
    name: str
    """The token's name now, or the part of the program that acts."""
    token_id: int | None = None


COMMAND_LINE: Final = Actor(kind="COMMAND_LINE", name="audience-gql")
SERVER: Final = Actor(kind="SERVER", name="server")
"""A process that acts by itself, for example when it disables an endpoint that always fails."""
