"""The settings of Tortoise's own commands, which find them through `[tool.tortoise]` in pyproject.toml.

Commands that read or change a database use DATABASE_URL. The product itself does not use this module.
"""

from __future__ import annotations

import os
from typing import Final

from audience_gql.storage.postgres.orm_config import tortoise_config

_SECONDS: Final = 3600.0

TORTOISE_ORM: Final = tortoise_config(
    os.environ.get("DATABASE_URL", "postgres://localhost/audience"), 2, _SECONDS, _SECONDS
)
