"""The form in which email addresses are compared: as mail compares them, and no two people's addresses are taken for one.

Upper and lower case of one letter are the same, and nothing else is: ß is not ss, and a final sigma is not sigma. A domain is the
same in Unicode and in its xn-- form.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from unicodedata import normalize

import idna

_REMEMBERED: Final = 10_000
_A_LABEL: Final = "xn--"


def fold_address(address: str) -> str:
    """The form in which an address is unique. Without an @ the text is taken for the beginning of one."""
    if address.isascii() and _A_LABEL not in (lower := address.lower()):
        return lower
    local, at, domain = address.rpartition("@")
    return f"{_fold_letters(local)}@{_fold_domain(domain)}" if at else _fold_letters(domain)


def fold_end_of_address(text: str) -> str:
    """The same for the end of an address: without an @ it is a part of the domain."""
    return fold_address(text) if "@" in text else _fold_domain(text)


def _fold_letters(text: str) -> str:
    """Each letter in lower case by itself, where that is one letter: so no letter becomes another, or two."""
    lower = "".join(small if len(small := it.lower()) == 1 else it for it in normalize("NFC", text))
    return normalize("NFC", lower)


@lru_cache(_REMEMBERED)
def _fold_domain(domain: str) -> str:
    """The domain in Unicode, as UTS 46 maps it; what that does not allow, only in lower case."""
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
