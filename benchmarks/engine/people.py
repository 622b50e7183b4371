"""Draws people: their profile, fields and channels. All randomness comes from the caller's generator.

Some names and cities have letters that folding changes, so that the folded columns differ from the plain ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from random import Random
from typing import Final

from audience_gql.audience.people.profiles import PersonPatch
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage.people.facts import ChannelConsent

FIELDS: Final = {
    "plan": "TEXT",
    "score": "NUMBER",
    "interests": "LIST",
    "renewal": "DATE",
    "trial_ends": "DATETIME",
    "partner": "BOOLEAN",
}
"""The custom fields of the workspace, by key."""

PLANS: Final = ("free", "Plus", "Pro", "Enterprise")
INTERESTS: Final = ("Running", "Fußball", "Cooking", "Jazz", "Travel", "Chess", "Gardening", "Žvejyba")
STATUSES: Final = ("ACTIVE", "UNCONFIRMED", "UNSUBSCRIBED", "BOUNCED", "SPAM_REPORTED")

_FIRST_NAMES: Final = (
    *("Ada", "Bob", "Carla", "Dainius", "Eglė", "François", "Greta", "Hugo", "Ieva", "Jürgen", "Katarzyna"),
    *(
        "Łukasz",
        "Mia",
        "Noah",
        "Ólafur",
        "Paula",
        "Quentin",
        "Rasa",
        "Søren",
        "Theo",
        "Ugnė",
        "Vera",
        "Žydrė",
    ),
)
_LAST_NAMES: Final = (
    *("Adams", "Bauer", "Černý", "Dubois", "Eriksen", "Fischer", "García", "Hoffmann", "Ivanov", "Jansen"),
    *("Kazlauskas", "López", "Müller", "Novák", "Öztürk", "Petraitis", "Rossi", "Strauß", "Thomas", "Wójcik"),
)
_PLACES: Final = (
    # share, country, zones, language, dialling code, (region, city, first digits of postal codes)
    (30, "US", ("America/New_York", "America/Chicago", "America/Los_Angeles"), "en-US", "+1", (("New York", "New York", "100"), ("Illinois", "Chicago", "606"), ("California", "Los Angeles", "900"))),
    (18, "DE", ("Europe/Berlin",), "de", "+49", (("Berlin", "Berlin", "10"), ("Bayern", "München", "80"), ("Nordrhein-Westfalen", "Köln", "50"))),
    (14, "GB", ("Europe/London",), "en-GB", "+44", (("England", "London", "E1"), ("Scotland", "Edinburgh", "EH1"))),
    (10, "FR", ("Europe/Paris",), "fr", "+33", (("Île-de-France", "Paris", "75"), ("Rhône", "Lyon", "69"))),
    (9, "IN", ("Asia/Kolkata",), "hi", "+91", (("Maharashtra", "Mumbai", "400"), ("Delhi", "Delhi", "110"))),
    (7, "BR", ("America/Sao_Paulo",), "pt-BR", "+55", (("São Paulo", "São Paulo", "01"), ("Bahia", "Salvador", "40"))),
    (6, "PL", ("Europe/Warsaw",), "pl", "+48", (("Mazowieckie", "Warszawa", "00"), ("Łódzkie", "Łódź", "90"))),
    (4, "LT", ("Europe/Vilnius",), "lt", "+370", (("Vilniaus apskritis", "Vilnius", "01"), ("Kauno apskritis", "Kaunas", "44"))),
    (2, "NZ", ("Pacific/Auckland",), "en-NZ", "+64", (("Auckland", "Auckland", "10"),)),
)  # fmt: skip
_CENTRES: Final = {
    "New York": (40.71, -74.01), "Chicago": (41.88, -87.63), "Los Angeles": (34.05, -118.24), "Berlin": (52.52, 13.41), "München": (48.14, 11.58),
    "Köln": (50.94, 6.96), "London": (51.51, -0.13), "Edinburgh": (55.95, -3.19), "Paris": (48.86, 2.35), "Lyon": (45.76, 4.84), "Mumbai": (19.08, 72.88),
    "Delhi": (28.70, 77.10), "São Paulo": (-23.55, -46.63), "Salvador": (-12.98, -38.50), "Warszawa": (52.23, 21.01), "Łódź": (51.77, 19.46),
    "Vilnius": (54.69, 25.28), "Kaunas": (54.90, 23.89), "Auckland": (-36.85, 174.76),
}  # fmt: skip
"""Degrees north and east of each city."""
_PHONE_DIGITS: Final = {"+1": 10, "+91": 10, "+55": 10, "+370": 8}
"""The number of digits after the dialling code. After the other codes there are nine."""
_SHARES: Final = tuple(place[0] for place in _PLACES)
_MAILS: Final = ("example.com", "example.org", "mail.example.net", "post.example.de")
_OLDEST: Final = date(1940, 1, 1)


def draw_person(
    chance: Random, number: int, fields: Mapping[str, FieldRef], now: datetime
) -> tuple[PersonPatch, datetime, datetime]:
    """The person of this number: the input of an upsert, and when the person was created and last updated."""
    rare = chance.random
    _, country, zones, language, code, places = chance.choices(_PLACES, _SHARES)[0]
    region, city, postal = places[int(len(places) * rare() ** 1.5)]
    first, last = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
    patch = PersonPatch()
    columns = patch.columns
    columns["external_id"] = f"Customer-{number}"
    if rare() < 0.96:
        columns["email"] = f"{first}.{last}.{number}@{_MAILS[int(4 * rare() ** 2)]}"
    if rare() < 0.4:
        columns["phone"] = f"{code}{number + 10 ** (_PHONE_DIGITS.get(code, 9) - 1)}"
    columns["first_name"], columns["last_name"] = first, last
    if rare() < 0.9:
        columns["country"], columns["language"] = country, language
    if rare() < 0.8:
        columns["timezone"] = chance.choice(zones)
    if rare() < 0.7:
        columns["region"], columns["city"] = region, city
        columns["postal_code"] = f"{postal}{int(1000 * rare()):03}"
        beside = Random(number)  # of its own, so that the other values stay the same
        north, east = _CENTRES[city]
        columns["latitude"] = round(north + beside.gauss(0, 0.1), 5)
        columns["longitude"] = round(east + beside.gauss(0, 0.1), 5)
    if rare() < 0.6:
        columns["birthday"] = _OLDEST + timedelta(days=int(24_000 * rare()))
    _draw_fields(chance, patch, fields, now)
    created_at = now - timedelta(seconds=int(1000 * 86_400 * rare() ** 1.5), microseconds=int(1e6 * rare()))
    updated_at = created_at + (now - created_at) * rare() if rare() < 0.7 else created_at
    return patch, created_at, updated_at


def _draw_fields(chance: Random, patch: PersonPatch, fields: Mapping[str, FieldRef], now: datetime) -> None:
    rare = chance.random
    given = patch.fields
    if rare() < 0.95:
        given[fields["plan"]] = PLANS[int(4 * rare() ** 3)]
    if rare() < 0.8:
        given[fields["score"]] = round(100 * rare() ** 2, 1)
    if rare() < 0.5:
        given[fields["interests"]] = chance.sample(INTERESTS, 1 + int(3 * rare()))
    if rare() < 0.3:
        given[fields["renewal"]] = (now + timedelta(days=int(400 * rare()) - 100)).date().isoformat()
    if rare() < 0.2:
        given[fields["trial_ends"]] = (now + timedelta(seconds=int(86_400 * (60 * rare() - 30)))).isoformat()
    if rare() < 0.5:
        given[fields["partner"]] = rare() < 0.1


def draw_channels(chance: Random, now: datetime) -> dict[str, ChannelConsent]:
    """The person's statuses, by channel."""
    drawn = {}
    for channel, share in (("EMAIL", 0.95), ("SMS", 0.35), ("TRANSACTIONAL_EMAIL", 0.3)):
        if chance.random() < share:
            status = chance.choices(STATUSES, (75, 8, 12, 4, 1))[0]
            changed_at = now - timedelta(seconds=int(900 * 86_400 * chance.random() ** 2))
            drawn[channel] = ChannelConsent(status=status, changed_at=changed_at, reason=None)
    return drawn
