"""Addresses are one where mail takes them for one, and nowhere else."""

from __future__ import annotations

import sys
from unicodedata import category, normalize

import pytest

from audience_gql.conditions.addresses import fold_address, fold_end_of_address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("JÖRG@x.de", "jörg@x.de"),
        ("Jo\u0308rg@x.de", "jörg@x.de"),
        ("ΟΔΟΣ@x.gr", "οδοσ@x.gr"),
        ("STRAẞE@x.de", "straße@x.de"),
        ("\u212b@x.de", "å@x.de"),
        ("J\u030c@x.de", "\u01f0@x.de"),
        ("a@müller.de", "a@xn--mller-kva.de"),
        ("a@MÜLLER.de", "A@XN--MLLER-KVA.DE"),
        ("a@faß.de", "a@xn--fa-hia.de"),
        ("a@example。com", "a@example.com"),
        ("a@sub.müller.de", "a@sub.xn--mller-kva.de"),
    ],
)
def test_one_address(one: str, other: str) -> None:
    assert fold_address(one) == fold_address(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße@x.de", "strasse@x.de"),
        ("\u017fam@x.de", "sam@x.de"),
        ("\ufb01n@x.de", "fin@x.de"),
        ("οδος@x.gr", "οδοσ@x.gr"),
        ("\u0130@x.tr", "i@x.tr"),
        ("\u0131@x.tr", "i@x.tr"),
        ("a@faß.de", "a@fass.de"),
        ("xn--mller-kva@x.de", "müller@x.de"),
        ("a.b@x.de", "ab@x.de"),
        ("a+b@x.de", "a@x.de"),
    ],
)
def test_two_addresses(one: str, other: str) -> None:
    assert fold_address(one) != fold_address(other)


def test_no_letter_becomes_another_but_its_own_small_one() -> None:
    letters = [chr(it) for it in range(sys.maxunicode + 1) if category(chr(it)) not in ("Cs", "Cn", "Co")]

    for letter in letters:
        folded = fold_address(f"{letter}@x.de")
        same = normalize("NFC", letter)
        assert folded == fold_address(folded)
        if folded != f"{same}@x.de":
            assert same.lower() == folded.removesuffix("@x.de"), hex(ord(letter))


@pytest.mark.parametrize(
    "address", ["a@xn--mller-kva.de", "a@xn--.de", "a@xn--a.de", "a@i\u2764.ws", "a@xn--i-7iq.ws", "@", "", "a@", "@.xn--"]
)  # fmt: skip
def test_it_is_stable(address: str) -> None:
    assert fold_address(fold_address(address)) == fold_address(address)


@pytest.mark.parametrize(
    ("end", "folded"),
    [
        ("xn--mller-kva.de", "müller.de"),
        ("@XN--mller-kva.DE", "@müller.de"),
        ("LLER.de", "ller.de"),
        ("ß@faß.de", "ß@faß.de"),
    ],
)
def test_the_end_of_an_address_is_of_its_domain(end: str, folded: str) -> None:
    assert fold_end_of_address(end) == folded
