"""Reads the settings of a command from the environment."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audience_gql.config import Settings


def read_settings() -> Settings:
    """The settings from the environment. Also sets the log level of this process. Raises MissingSetting, MalformedSetting."""
    from audience_gql.config import settings_from_environment  # noqa: PLC0415  # `--help` must be fast

    settings = settings_from_environment()
    logging.getLogger().setLevel(settings.log_level)
    return settings
