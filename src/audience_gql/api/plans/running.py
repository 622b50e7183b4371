"""Runs a plan: one level after the other, each field for all objects of its level at once.

It returns JSON or raises an exception. It must not turn an exception into an error of the response: the library's executor does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import convert_arguments
from strawberry.types.fields.resolver import StrawberryResolver

from audience_gql.api.context import Context
from audience_gql.api.plans.compiling import (
    TOGETHER,
    FieldPlan,
    Leaf,
    Listed,
    NonNull,
    NotPlannable,
    ObjectPlan,
    Objects,
    Shape,
    Values,
)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the library needs to convert arguments."""

    config: StrawberryConfig
    scalar_registry: Mapping[Any, Any]  # Any: the library's own


@dataclass(frozen=True, slots=True)
class _Info:
    """What resolvers read of the library's info."""

    context: Context


class PlanRun:
    """One execution of a plan."""

    def __init__(self, context: Context, variables: VariableValues, conversion: Conversion) -> None:
        self._context = context
        self._info = _Info(context)
        self._variables = variables
        self._conversion = conversion

    async def answer(self, plan: ObjectPlan) -> dict[str, Any]:  # Any: JSON
        """The data of the response. Raises any exception, after which nothing of the plan runs any more."""
        (data,) = await self._objects(plan, [None])
        return data

    async def _objects(self, plan: ObjectPlan, parents: Sequence[object]) -> list[dict[str, Any]]:
        """The JSON of each of these objects."""
        if not plan.keys:  # @skip leaves out everything
            return [{} for _ in parents]
        columns = [self._column(field, plan, parents) for field in plan.fields]
        waiting = [
            (number, field)
            for number, field in enumerate(plan.fields)
            if field is not None and columns[number] is None
        ]
        found = await _all([self._resolved(field, parents) for _, field in waiting])
        for (number, _), column in zip(waiting, found, strict=True):
            columns[number] = column
        keys = plan.keys
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]

    @staticmethod
    def _column(field: FieldPlan | None, plan: ObjectPlan, parents: Sequence[object]) -> Values | None:
        """The JSON of a field that needs no resolver and has no objects; None for any other field."""
        if field is None:
            return [plan.type_name] * len(parents)
        return None if field.read is None else _leaves(field.shape, list(map(field.read, parents)))

    async def _resolved(self, field: FieldPlan, parents: Sequence[object]) -> Values:
        if field.read is not None:
            return await self._complete(field.shape, list(map(field.read, parents)))
        return await self._complete(field.shape, await self._values(field, parents))

    async def _values(self, field: FieldPlan, parents: Sequence[object]) -> Values:
        """What the field's resolver returns for each parent."""
        arguments = self._arguments(field)
        together = field.field.metadata.get(TOGETHER)
        if together is not None:
            return list(await together(self._context, parents, **arguments))
        resolver = field.field.base_resolver
        if not isinstance(resolver, StrawberryResolver):
            raise NotPlannable
        if resolver.info_parameter is not None:
            arguments[resolver.info_parameter.name] = self._info
        call: Callable[..., Any] = resolver.wrapped_func  # type: ignore[assignment]  # a static method is a function here
        named = resolver.parent_parameter
        if named is None:
            results = [call(**arguments) for _ in parents]
        else:
            results = [call(**{named.name: parent}, **arguments) for parent in parents]
        return await _all(results) if resolver.is_async else results

    def _arguments(self, field: FieldPlan) -> dict[str, Any]:  # Any: the arguments' own types
        declared = field.field.arguments
        if not declared:
            return {}
        given = get_argument_values(field.declared, field.node, self._variables)
        return convert_arguments(
            given,
            declared,
            scalar_registry=self._conversion.scalar_registry,
            config=self._conversion.config,
        )

    async def _complete(self, shape: Shape, values: Values) -> Values:
        """The JSON of these values; None where a value is null."""
        match shape:
            case NonNull(inner=inner):
                completed = await self._complete(inner, values)
                if any(value is None for value in completed):
                    raise NotPlannable  # the error that it is has a path
                return completed
            case Leaf():
                return _written(shape, values)
            case Objects(plan=plan):
                there = [value for value in values if value is not None]
                found = await self._objects(plan, there) if there else []
                return found if len(there) == len(values) else _with_nulls(values, found)
            case Listed(items=items):
                lists = [value for value in values if value is not None]
                if not all(isinstance(value, list | tuple) for value in lists):
                    raise NotPlannable
                flat = iter(await self._complete(items, [*chain.from_iterable(lists)]))
                return [None if value is None else [*islice(flat, len(value))] for value in values]


async def _all(works: Sequence[Awaitable[Any]]) -> list[Any]:
    """The results of all works. If one fails, the others are ended first."""
    if len(works) == 1:
        return [await works[0]]
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _leaves(shape: Shape, values: Values) -> Values | None:
    """The JSON of scalars; None for any other shape, and for a null that must not be."""
    match shape:
        case Leaf():
            return _written(shape, values)
        case NonNull(inner=Leaf() as leaf) if None not in values:
            return list(map(leaf.write, values))
    return None


def _written(leaf: Leaf, values: Values) -> Values:
    return [None if value is None else leaf.write(value) for value in values]


def _with_nulls(values: Values, found: Values) -> Values:
    """`found` has the JSON of the values that are not null."""
    there = iter(found)
    return [None if value is None else next(there) for value in values]
