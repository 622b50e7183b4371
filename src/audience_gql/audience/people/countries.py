"""Finds the ISO 3166-1 codes that somebody may have meant by the name of a country, or by a code of three letters.

It must not be used to accept names: only codes of two letters are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final
from unicodedata import combining, normalize

from iso3166 import countries

from audience_gql.conditions.values import fold
from audience_gql.conditions.words.similar import similar

_LONGEST_CODE: Final = len("LTU")
_OTHER_NAMES: Final = {
    "America": "US", "Britain": "GB", "Burma": "MM", "Cape Verde": "CV", "Czech Republic": "CZ", "DR Congo": "CD", "East Timor": "TL",
    "England": "GB", "Great Britain": "GB", "Holland": "NL", "Ivory Coast": "CI", "Korea": "KR", "Laos": "LA", "Macau": "MO",
    "Macedonia": "MK", "North Korea": "KP", "Northern Ireland": "GB", "Russia": "RU", "Scotland": "GB", "South Korea": "KR",
    "Swaziland": "SZ", "Syria": "SY", "Turkey": "TR", "UK": "GB", "United Kingdom": "GB", "United States": "US", "Vatican": "VA",
    "Vietnam": "VN", "Wales": "GB",
}  # fmt: skip
"""Names in everyday use that ISO 3166-1 does not have."""


def codes_meant_by(text: str) -> list[str]:
    """The code of the country with this name, or else the codes of at most two countries with similar names."""
    codes = _codes()
    name = _plain(text)
    if name in codes:
        return [codes[name]]
    if len(name) <= _LONGEST_CODE:  # it is almost equal to many codes
        return []
    return list(dict.fromkeys(codes[found] for found in similar(name, codes)))


@cache
def _codes() -> Mapping[str, str]:
    """The codes by plain names. A country that has a short name before a comma also has it here, unless another country has it, too."""
    codes = {_plain(name): code for name, code in _OTHER_NAMES.items()}
    for country in countries:
        for name in (country.name, country.apolitical_name, country.alpha3):
            codes[_plain(name)] = country.alpha2
    for name, code in _short_names():
        codes.setdefault(name, code)
    return codes


def _short_names() -> Iterator[tuple[str, str]]:
    found = [(_plain(country.name.split(",")[0]), country.alpha2) for country in countries]
    names = [name for name, _ in found]
    yield from ((name, code) for name, code in found if names.count(name) == 1)


def _plain(name: str) -> str:
    """Folded, and without accents: `Türkiye` and `turkiye` are the same."""
    return "".join(letter for letter in normalize("NFD", fold(name.strip())) if not combining(letter))
