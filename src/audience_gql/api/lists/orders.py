"""The orders that lists of groups and lists of segments share, and the cursors of each order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api.pagination import Listing
from audience_gql.api.shapes import enum


@enum(
    "The order of a list of groups or segments.",
    NAME_ASC="By name, from A to Z.",
    CREATED_DESC="By time of creation, the latest first.",
    UPDATED_DESC="By time of the last edit, the latest first.",
    SIZE_DESC="By number of members, the largest first.",
)
class ListOrder(StrEnum):
    NAME_ASC = "NAME_ASC"
    CREATED_DESC = "CREATED_DESC"
    UPDATED_DESC = "UPDATED_DESC"
    SIZE_DESC = "SIZE_DESC"


OrderBy: TypeAlias = Annotated[ListOrder, strawberry.argument(description="The order of the list.")]


def listings(noun: str) -> Mapping[ListOrder, Listing]:
    """One Listing per order, whose cursors no other order accepts. `noun` is the plural in the schema."""
    return {
        ListOrder.NAME_ASC: Listing(f"{noun}.nameAsc", str, int),
        ListOrder.CREATED_DESC: Listing(f"{noun}.createdDesc", datetime, int),
        ListOrder.UPDATED_DESC: Listing(f"{noun}.updatedDesc", datetime, int),
        ListOrder.SIZE_DESC: Listing(f"{noun}.sizeDesc", int, int),
    }
