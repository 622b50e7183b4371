"""Reads the settings of a command from the environment."""

from __future__ import annotations

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
