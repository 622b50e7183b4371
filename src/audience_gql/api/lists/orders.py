"""What lists of groups and of segments have in common: their orders, and the cursors that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api.pagination import Listing
from audience_gql.api.shapes import enum


@enum(
    "How a list of groups or segments is ordered.",
    NAME_ASC="By name.",
    CREATED_DESC="The latest first.",
    UPDATED_DESC="The last edited first.",
    SIZE_DESC="The largest first.",
)
class ListOrder(StrEnum):
    NAME_ASC = "NAME_ASC"
    CREATED_DESC = "CREATED_DESC"
    UPDATED_DESC = "UPDATED_DESC"
    SIZE_DESC = "SIZE_DESC"


OrderBy: TypeAlias = Annotated[ListOrder, strawberry.argument(description="How the list is ordered.")]


def listings(noun: str) -> Mapping[ListOrder, Listing]:
    """The lists of one noun, by their order."""
    return {
        ListOrder.NAME_ASC: Listing(f"{noun}.nameAsc", str, int),
        ListOrder.CREATED_DESC: Listing(f"{noun}.createdDesc", datetime, int),
        ListOrder.UPDATED_DESC: Listing(f"{noun}.updatedDesc", datetime, int),
        ListOrder.SIZE_DESC: Listing(f"{noun}.sizeDesc", int, int),
    }
