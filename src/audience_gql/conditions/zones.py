"""Knows time zones and their old names, from the IANA database in the package tzdata.

A place has one zone with one present name: `Asia/Calcutta` is `Asia/Kolkata`. Two places stay two zones, even if their clocks have
agreed for a long time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

UTC_ZONE: Final = "UTC"
_NAMES_OF_UTC: Final = frozenset(
    {"Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "UTC", "Universal", "Zulu"}
)
_NO_ZONES: Final = frozenset({"Factory"})
"""Entries of the database that are not time zones: machines have "Factory" until somebody sets their zone."""


def zone_named(name: str) -> str | None:
    """The present name of a zone. None if the name is not a time zone."""
    return _zones().get(name)


@cache
def _zones() -> Mapping[str, str]:
    """Every name of a zone with the present name: the same name if a country lists it, or else that of the zone to which it links."""
    folder = files("tzdata").joinpath("zoneinfo")
    listed = {
        row.split("\t")[2]
        for row in folder.joinpath("zone.tab").read_text("utf-8").splitlines()
        if row and not row.startswith("#")
    }
    zones: dict[str, str] = {}
    links: dict[str, str] = {}
    for row in folder.joinpath("tzdata.zi").read_text("utf-8").splitlines():
        kind, *rest = row.split(" ")
        if kind == "Z" and rest[0] not in _NO_ZONES:
            zones[rest[0]] = rest[0]
        elif kind == "L":
            links[rest[1]] = rest[0]
    for name in links:
        present = name
        while present not in listed and present in links:
            present = links[present]
        zones[name] = present
    return {name: UTC_ZONE if present in _NAMES_OF_UTC else present for name, present in zones.items()}
