"""Checks email addresses, phone numbers, countries, languages and time zones against the data of maintained libraries.

Ingest checks every person, so a cheap test decides for most values; only the rest goes to the library.
It must not ask the network: bounces show whether mail arrives.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final, TypeAlias

from email_validator import EmailNotValidError, validate_email
from iso3166 import countries_by_alpha2
from langcodes import tag_is_valid
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from audience_gql.audience.failures import ProblemCode
from audience_gql.audience.people.countries import codes_meant_by
from audience_gql.conditions.words.similar import did_you_mean
from audience_gql.conditions.zones import zone_named

Problem: TypeAlias = tuple[ProblemCode, str]

_REMEMBERED: Final = 10_000
_COUNTRY_LENGTH: Final = len("LT")
_PLAIN_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
_LONGEST_LOCAL_PART: Final = 64
LONGEST_ADDRESS: Final = 254
_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)


def email_problem(value: str) -> Problem | None:
    """What is wrong with an email address by the grammar of RFC 5321 and RFC 6531. The domain is not looked up."""
    local, _, domain = value.rpartition("@")
    is_plain = len(local) <= _LONGEST_LOCAL_PART and _PLAIN_LOCAL_PART.fullmatch(local) is not None
    reason = _why_no_domain(domain) if is_plain and len(value) <= LONGEST_ADDRESS else _why_no_address(value)
    return None if reason is None else ("MALFORMED", f"{_shown(value)} is not an email address: {reason}")


@lru_cache(_REMEMBERED)
def _why_no_domain(domain: str) -> str | None:
    return _why_no_address(f"a@{domain}")


def _why_no_address(value: str) -> str | None:
    try:
        # test_environment allows addresses in .test, a domain that only test environments use.
        validate_email(value, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        return str(error)
    return None


def phone_problem(value: str) -> Problem | None:
    """What is wrong with a phone number: E.164, a known country calling code, and a number of digits that is possible after it.

    Whether the number is assigned to anybody is not checked.
    """
    if _E164.fullmatch(value) is None:
        return "MALFORMED", f"expected E.164, such as +37060000000, not {_shown(value)}"
    for digits in (1, 2, 3):
        lengths = _lengths_of_numbers(value[1 : 1 + digits])
        if lengths and len(value) - 1 - digits in lengths:
            return None
        if lengths:
            code, wanted = value[: 1 + digits], " or ".join(map(str, sorted(lengths)))
            return "MALFORMED", f"after {code} a number has {wanted} digits, not {len(value) - 1 - digits}"
    return "UNKNOWN", f"{_shown(value)} does not begin with a country calling code"


@cache
def _lengths_of_numbers(calling_code: str) -> frozenset[int]:
    """How many digits may follow a calling code, in any of the regions that share it. Empty for an unknown code."""
    if not calling_code.isdigit() or int(calling_code) not in COUNTRY_CODE_TO_REGION_CODE:
        return frozenset()
    code = int(calling_code)
    found = (
        PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        for region in COUNTRY_CODE_TO_REGION_CODE[code]
    )
    return frozenset(
        length
        for metadata in found
        if metadata is not None and metadata.general_desc is not None
        for length in metadata.general_desc.possible_length
    )


def country_problem(value: str) -> Problem | None:
    """What is wrong with a country code of ISO 3166-1 alpha-2. Upper and lower case do not matter."""
    if value.upper() in countries_by_alpha2:
        return None
    hint = did_you_mean(codes_meant_by(value))
    if len(value) != _COUNTRY_LENGTH:
        return "MALFORMED", f"expected two letters of ISO 3166-1, such as LT, not {_shown(value)}{hint}"
    return "UNKNOWN", f"{_shown(value)} is not a country of ISO 3166-1{hint}"


def compared_country_problem(value: str) -> str | None:
    """What is wrong with a country that a new condition compares with. An unknown code of two letters is not refused: it matches nobody."""
    given = value.strip()
    if not given or (len(given) == _COUNTRY_LENGTH and not codes_meant_by(given)):
        return None
    problem = country_problem(given)
    return None if problem is None else problem[1]


@lru_cache(_REMEMBERED)
def language_problem(value: str) -> Problem | None:
    """What is wrong with a language tag of BCP 47. Every subtag must be registered."""
    if _LANGUAGE.fullmatch(value) is None:
        return "MALFORMED", f"expected a BCP 47 tag such as en or pt-BR, not {_shown(value)}"
    if not tag_is_valid(value):
        return "UNKNOWN", f"{_shown(value)} has a part that is not registered for BCP 47"
    return None


def zone_problem(value: str) -> Problem | None:
    return no_zone(value) if zone_named(value) is None else None


def no_zone(value: str) -> Problem:
    return "UNKNOWN", f"{_shown(value)} is not a time zone of the IANA database"


def _shown(value: str) -> str:
    return repr(value if len(value) <= 100 else f"{value[:100]}…")  # noqa: PLR2004  # enough to recognise the value
