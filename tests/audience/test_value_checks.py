"""Values that are told from look-alikes by data: addresses, numbers, countries, languages, zones."""

from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from iso3166 import countries
from phonenumbers import NumberParseException, is_possible_number, parse

from audience_gql.audience.people import value_checks
from audience_gql.audience.people.countries import codes_meant_by
from audience_gql.audience.people.value_checks import (
    compared_country_problem,
    country_problem,
    email_problem,
    language_problem,
    phone_problem,
    zone_problem,
)

ADDRESSES = [
    "ada@example.com", "Ada.L+news@sub.example.co.uk", "o'neil@example.com", "ada@exämple.com", "áda@example.com", "a_b-c@x-y.io",
    f"{'a' * 64}@example.com", "ada@example.test",
    "", "ada", "@example.com", "ada@", "ada@example", "ada@@example.com", "a b@example.com", ".ada@example.com", "ada.@example.com",
    "a..b@example.com", "ada@-example.com", "ada@example..com", "ada@exa_mple.com", "ada@[127.0.0.1]", f"{'a' * 65}@example.com",
    f"ada@{'a' * 64}.com", f"ada@{'abc.' * 70}com", "ada@example.com\n", "ada@localhost", "ada@1.2.3.4", "Ada <ada@example.com>",
    "ada@xn--zz.com",
]  # fmt: skip
NUMBERS = [
    "+37060000000", "+12025550123", "+442071838750", "+4930123456", "+390612345678", "+80012345678", "+8816123456789",
    "+3706000000", "+370600000000", "+1202555012", "+120255501234", "+999123456789", "+0123456789", "+37", "+7", "+21000000000",
]  # fmt: skip


def is_valid_by_the_library(address: str) -> bool:
    try:
        validate_email(address, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        return False
    return True


def is_possible_by_the_library(number: str) -> bool:
    try:
        return is_possible_number(parse(number))
    except NumberParseException:
        return False


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_cheap_look_at_an_address_says_what_the_library_says(address):
    problem = email_problem(address)

    assert (problem is None) == is_valid_by_the_library(address)
    assert problem is None or problem[0] == "MALFORMED"


def test_addresses_of_both_sorts_are_among_them():
    assert sum(email_problem(address) is None for address in ADDRESSES) == 8


def test_a_usual_address_costs_no_look_at_the_library(monkeypatch):
    email_problem("ada@example.com")
    monkeypatch.setattr(value_checks, "validate_email", None)

    assert email_problem("bob.smith+list@example.com") is None


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_possible_where_the_library_says_so(number):
    assert (phone_problem(number) is None) == is_possible_by_the_library(number)


def test_numbers_of_both_sorts_are_among_them():
    assert sum(phone_problem(number) is None for number in NUMBERS) == 7


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("860000000", ("MALFORMED", "expected E.164, such as +37060000000, not '860000000'")),
        ("+370 600 00000", ("MALFORMED", "expected E.164, such as +37060000000, not '+370 600 00000'")),
        ("+3706000", ("MALFORMED", "after +370 a number has 8 digits, not 4")),
        ("+9991234567", ("UNKNOWN", "'+9991234567' does not begin with a country calling code")),
    ],
)
def test_what_is_wrong_with_a_number_is_said(number, problem):
    assert phone_problem(number) == problem


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ("Lithuania", "LT"), ("lithuania ", "LT"), ("LTU", "LT"), ("Lithuanja", "LT"), ("UK", "GB"), ("USA", "US"), ("United States", "US"),
        ("south korea", "KR"), ("Bolivia", "BO"), ("turkiye", "TR"), ("Turkey", "TR"), ("Cote d'Ivoire", "CI"), ("Niger", "NE"),
        ("Germ", "DE"), ("Austr", "AU or AT"), ("Atlantis", None), ("440", None), ("", None), ("🇱🇹", None),
    ],
)  # fmt: skip
def test_a_name_instead_of_a_country_s_code_is_answered_with_the_code(given, codes):
    problem = country_problem(given)

    assert problem is not None
    assert problem[1].partition("; did you mean ")[2] == (f"{codes}?" if codes else "")


def test_every_country_is_found_by_its_names():
    for country in countries:
        for name in (country.name, country.apolitical_name, country.alpha3, country.name.upper()):
            assert codes_meant_by(name) == [country.alpha2]
            assert compared_country_problem(country.alpha2) is None


@pytest.mark.parametrize(
    ("compared", "is_refused"),
    [("Lithuania", True), ("Atlantis", True), ("uk", True), ("XX", False), (" ", False), (" lt ", False)],
)
def test_a_condition_may_compare_a_country_with_any_code(compared, is_refused):
    assert (compared_country_problem(compared) is not None) == is_refused


@pytest.mark.parametrize(
    ("check", "value", "code"),
    [
        (country_problem, "LT", None), (country_problem, "lt", None), (country_problem, "XX", "UNKNOWN"),
        (country_problem, "LTU", "MALFORMED"), (country_problem, "Lithuania", "MALFORMED"), (country_problem, "UK", "UNKNOWN"),
        (language_problem, "en", None), (language_problem, "pt-BR", None), (language_problem, "zh-Hant-TW", None),
        (language_problem, "en_US", "MALFORMED"), (language_problem, "english", "UNKNOWN"), (language_problem, "qq", "UNKNOWN"),
        (language_problem, "en-", "MALFORMED"),
        (zone_problem, "Europe/Vilnius", None), (zone_problem, "Europe/Atlantis", "UNKNOWN"), (zone_problem, "europe/vilnius", "UNKNOWN"),
    ],
)  # fmt: skip
def test_codes_are_those_of_the_registries(check, value, code):
    problem = check(value)

    assert (None if problem is None else problem[0]) == code
