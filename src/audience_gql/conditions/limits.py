"""The limits of one condition. A condition beyond any of them is refused.

The docs and the messages state them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

MAX_DEPTH: Final = 16
MAX_LEAVES: Final = 200
MAX_VALUES: Final = 10_000
"""The most values or ids in one list."""
MAX_TEXT: Final = 1_000
MAX_ALTERNATIVES: Final = 20
"""The most alternatives of one pattern."""
MAX_WILDCARDS: Final = 100
"""The most `*` and `?` of one pattern, in all its alternatives together."""
MAX_PROPERTY_FILTERS: Final = 20
"""The most property filters in the `where` of one leaf."""
LEAST_STEPS: Final = 2
MAX_STEPS: Final = 5
"""How many steps a sequence of events can have."""
MAX_WINDOW: Final = timedelta(days=3_653)
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2200
MAX_INT: Final = 2**31 - 1
"""The largest Int of GraphQL."""
MAX_PROBLEMS: Final = 100
"""The most problems that one answer lists. The first ones are enough to begin with."""
