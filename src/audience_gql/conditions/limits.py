"""How much one condition may hold. Stated in the docs and in the messages.

Past any of them a condition is refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

MAX_DEPTH: Final = 16
MAX_LEAVES: Final = 200
MAX_VALUES: Final = 10_000
"""In one list of values or ids."""
MAX_TEXT: Final = 1_000
MAX_PROPERTY_FILTERS: Final = 20
"""In the `where` of one leaf."""
MAX_WINDOW: Final = timedelta(days=3_653)
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2200
MAX_INT: Final = 2**31 - 1
"""GraphQL's Int."""
MAX_PROBLEMS: Final = 100
"""More are not collected: whoever sends that many needs the first ones."""
