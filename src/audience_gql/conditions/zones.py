"""Time zones and their old names, by the IANA database that Python finds with the package tzdata.

A zone of a place has one name: `Asia/Calcutta` is `Asia/Kolkata`. Places whose clocks have merely agreed for long stay themselves.
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
"""What the database has for machines that nobody has set yet."""


def zone_named(name: str) -> str | None:
    """The zone's present name; None for what is no time zone."""
    return _zones().get(name)


def old_names() -> Mapping[str, str]:
    """The names that zones have besides the present one, with that one."""
    return {name: present for name, present in _zones().items() if name != present}


@cache
def _zones() -> Mapping[str, str]:
    """Every name of a zone, with the present one: its own where a country lists it, else that of the zone it is linked to."""
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
