"""What commands learn from whoever runs them: the settings in the environment, a port, and the answer to a question; and what they learn of a failure."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from audience_gql.telemetry.logs import write_logs

if TYPE_CHECKING:
    from audience_gql.config import Settings

_LAST_PORT: Final = 65535


def read_settings() -> Settings:
    """The settings from the environment. Also makes this process write its log as they say. Raises MissingSetting, MalformedSetting."""
    from audience_gql.config import settings_from_environment  # noqa: PLC0415  # `--help` must be fast

    settings = settings_from_environment()
    write_logs(settings.log_format, settings.log_level)
    return settings


def port(text: str) -> int:
    """The number of a port to listen on, from the text of an option. 0 means any free one."""
    if not text.isascii() or not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"expected a number up to {_LAST_PORT}, not {text!r}")
    return int(text)


def in_words(error: Exception) -> str:
    """The message of a failure. For a file, its name and what is wrong with it, without the number of the error."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def is_confirmed(question: str) -> bool:
    """Whether the answer to the question is yes. No answer, as in a script, means no."""
    try:
        return input(question).strip().lower() == "yes"
    except EOFError:
        print(file=sys.stderr)
        return False
