"""Folds email addresses into the form in which they are compared, so that addresses of two people are never equal.

Upper and lower case of one letter are equal, and nothing else: ß is not ss, and a final sigma is not a sigma. A domain in Unicode
equals its xn-- form.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from unicodedata import normalize

import idna

_REMEMBERED: Final = 10_000
_A_LABEL: Final = "xn--"


def fold_address(address: str) -> str:
    """The form in which an address is unique. A text without an @ counts as the beginning of an address."""
    if address.isascii() and _A_LABEL not in (lower := address.lower()):
        return lower
    local, at, domain = address.rpartition("@")
    return f"{_fold_letters(local)}@{_fold_domain(domain)}" if at else _fold_letters(domain)


def fold_end_of_address(text: str) -> str:
    """The same for the end of an address. A text without an @ counts as a part of the domain."""
    return fold_address(text) if "@" in text else _fold_domain(text)


def _fold_letters(text: str) -> str:
    """Each letter in lower case by itself, if that is one letter. So no letter becomes a different letter or two letters."""
    lower = "".join(small if len(small := it.lower()) == 1 else it for it in normalize("NFC", text))
    return normalize("NFC", lower)


@lru_cache(_REMEMBERED)
def _fold_domain(domain: str) -> str:
    """The domain in Unicode, mapped by UTS 46. A domain that UTS 46 does not allow is only lower-cased."""
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False, transitional=False)
    except idna.IDNAError:
        mapped = _fold_letters(domain)
    return ".".join(map(_in_unicode, mapped.split(".")))


def _in_unicode(label: str) -> str:
    if not label.startswith(_A_LABEL):
        return label
    try:
        return idna.ulabel(label)
    except UnicodeError:
        return label
