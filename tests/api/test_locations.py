"""Latitude and longitude of people: how they are written, what is refused, and that segments follow them."""

from __future__ import annotations

import json

import pytest

from audience_gql.audience.imports.plans import ColumnPlan
from audience_gql.conditions.locations import location_at
from tests.api.doors import import_rows

UPSERT = """mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) {
  ... on UpsertSubscribersPayload { updated rejects { code message path } }
} }"""
READ = '{ subscriber(by: {externalId: "1"}) { latitude longitude } }'
START = """mutation ($input: StartImportInput!) { startImport(input: $input) {
  __typename ... on InvalidInput { issues { code message path } }
} }"""
NEAR_VILNIUS = {"location": {"near": {"latitude": 54.6872, "longitude": 25.2797, "kilometers": 5}}}
TOGETHER = "give both latitude and longitude, or null for both"
COLUMNS = tuple(
    ColumnPlan(header=name, kind="profile", target=name) for name in ("externalId", "latitude", "longitude")
)


async def upsert(api, **item):
    return (await api.data(UPSERT, input={"subscribers": [{"externalId": "1"} | item]}))["upsertSubscribers"]


async def by_literal(api, latitude, longitude):
    item = f'externalId: "1", latitude: {json.dumps(latitude)}, longitude: {json.dumps(longitude)}'
    answer = await api.data(
        f"mutation {{ upsertSubscribers(input: {{subscribers: [{{{item}}}]}}) {{ ... on UpsertSubscribersPayload {{ rejects {{ message }} }} }} }}"
    )
    return [reject["message"] for reject in answer["upsertSubscribers"]["rejects"]]


async def by_variable(api, latitude, longitude):
    return [it["message"] for it in (await upsert(api, latitude=latitude, longitude=longitude))["rejects"]]


async def by_file(api, latitude, longitude):
    cells = ["" if degrees is None else str(degrees) for degrees in (latitude, longitude)]
    rejects = await import_rows(api, COLUMNS, [[column.header for column in COLUMNS], ["1", *cells]])
    return [message.partition(": ")[2] for message in rejects]


async def kept_by(api):
    found = (await api.data(READ))["subscriber"]
    return found["latitude"], found["longitude"]


async def stored(api):
    return await api.services.ports.database.fetch(
        "SELECT latitude, longitude, location_x, location_y, location_z FROM subscribers WHERE bucket_id = $1",
        api.bucket_id,
    )


@pytest.fixture(params=[by_literal, by_variable, by_file], ids=lambda door: door.__name__)
def door(request):
    return request.param


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((54.6872, 25.2797), (54.6872, 25.2797)),
        ((90, -180), (90.0, -180.0)),
        ((-0.0, 1e-7), (0.0, 1e-7)),
        ((None, None), (None, None)),
    ],
)
async def test_a_location_is_kept_with_its_vector(api, door, given, kept):
    await upsert(api, latitude=1, longitude=2)

    assert await door(api, *given) == []

    (row,) = await stored(api)
    vector = (None,) * 3 if kept[0] is None else [getattr(location_at(*kept), axis) for axis in "xyz"]
    assert tuple(row) == (*kept, *vector)
    assert str(await kept_by(api)) == str(kept)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((90.001, 0), "must be between -90 and 90"),
        ((0, -180.001), "must be between -180 and 180"),
        ((54.6872, None), TOGETHER),
        ((None, 25.2797), TOGETHER),
    ],
)
async def test_a_wrong_location_is_refused_and_the_old_one_stays(api, door, given, message):
    await upsert(api, latitude=1, longitude=2)

    assert await door(api, *given) == [message]

    assert await kept_by(api) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("item", "code", "name"),
    [
        ({"latitude": 54.6872}, "REQUIRED", "longitude"),
        ({"longitude": 25.2797}, "REQUIRED", "latitude"),
        ({"latitude": None}, "REQUIRED", "longitude"),
        ({"latitude": 1, "longitude": None}, "REQUIRED", "longitude"),
        ({"latitude": 91, "longitude": 2}, "OUT_OF_RANGE", "latitude"),
    ],
)
async def test_the_path_of_what_is_wrong(api, item, code, name):
    await upsert(api, latitude=1, longitude=2)

    (reject,) = (await upsert(api, **item))["rejects"]

    assert (reject["code"], reject["path"]) == (code, ["input", "subscribers", "0", name])
    assert await kept_by(api) == (1.0, 2.0)


async def test_a_cell_that_is_no_number_is_refused(api):
    assert await by_file(api, "54,6872", "25.2797") == ["expected a number such as 12.5, not '54,6872'"]


async def test_a_plan_with_only_one_of_the_two_is_refused(api):
    columns = [
        {"header": name, "to": {"profile": name.upper()}} for name in ("externalId", "email", "latitude")
    ]
    columns[0]["to"] = {"profile": "EXTERNAL_ID"}

    answer = (await api.data(START, input={"columns": columns}))["startImport"]

    message = "map columns to both latitude and longitude, or to neither: a person has both or none"
    assert answer["issues"] == [{"code": "REQUIRED", "message": message, "path": ["input", "columns"]}]


async def test_a_segment_follows_a_location_that_comes_moves_and_goes(api):
    segment = await api.segment("Near the shop", NEAR_VILNIUS)
    await api.upsert({"externalId": "1"})
    members = f'{{ node(id: "{segment}") {{ ... on Segment {{ members {{ edges {{ node {{ externalId }} }} }} }} }} }}'

    async def are_in():
        await api.tick()
        return len((await api.data(members))["node"]["members"]["edges"]) == 1

    near, far = {"latitude": 54.69, "longitude": 25.28}, {"latitude": 54.69, "longitude": 26}
    found = [await are_in()]
    for change in (near, far, near, {"latitude": None, "longitude": None}, near):
        assert (await upsert(api, **change))["updated"] == 1
        found.append(await are_in())

    assert found == [False, True, False, True, False, True]
    assert (await upsert(api, **near))["updated"] == 0


async def test_lists_are_filtered_by_location(api):
    await api.upsert(
        {"externalId": "near", "latitude": 54.69, "longitude": 25.28},
        {"externalId": "far", "latitude": 0, "longitude": 0},
        {"externalId": "nowhere"},
    )

    found = await api.data(
        "query ($where: ConditionInput) { subscribers(where: $where) { edges { node { externalId } } } }",
        where=NEAR_VILNIUS,
    )

    assert [edge["node"]["externalId"] for edge in found["subscribers"]["edges"]] == ["near"]
