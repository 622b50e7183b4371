"""What commands learn from whoever runs them: the settings in the environment, and the answer to a question."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from audience_gql.telemetry.logs import write_logs

if TYPE_CHECKING:
    from audience_gql.config import Settings


def read_settings() -> Settings:
    """The settings from the environment. Also makes this process write its log as they say. Raises MissingSetting, MalformedSetting."""
    from audience_gql.config import settings_from_environment  # noqa: PLC0415  # `--help` must be fast

    settings = settings_from_environment()
    write_logs(settings.log_format, settings.log_level)
    return settings


def is_confirmed(question: str) -> bool:
    """Whether the answer to the question is yes. No answer, as in a script, means no."""
    try:
        return input(question).strip().lower() == "yes"
    except EOFError:
        print(file=sys.stderr)
        return False
