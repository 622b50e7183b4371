"""Names the profile's columns once. Storage, imports, the upsert and the kinds derive from this what each of them needs.

A test compares this with the places that must spell the columns: the table, its model and record, the types of the API and the kinds.
"""

from __future__ import annotations

from typing import Final

TEXT_COLUMNS: Final = (
    "external_id", "email", "phone", "first_name", "last_name", "language", "timezone", "country", "region", "city", "postal_code",
)  # fmt: skip
"""Each of these columns has a second one with the folded text, `<name>_folded`. Problems of an item are reported in this order."""
DEGREE_COLUMNS: Final = ("latitude", "longitude")
"""Degrees. A person has both or neither."""
VECTOR_COLUMNS: Final = ("location_x", "location_y", "location_z")
"""The unit vector of the location. It is written together with the degrees, and callers never see it."""
COLUMNS: Final = (*TEXT_COLUMNS, "birthday", *DEGREE_COLUMNS)


def _name(column: str) -> str:
    first, *others = column.split("_")
    return first + "".join(map(str.capitalize, others))


TEXT_OF_NAME: Final = {_name(column): column for column in TEXT_COLUMNS}
"""The columns of texts, by their names in conditions, items and files."""
NAMES: Final = tuple(map(_name, COLUMNS))
