"""Runs a plan: one level after the other, each field for all objects of its level at once.

It returns JSON or raises an exception. It must not turn an exception into an error of the response: the library's executor does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from graphql.execution.values import VariableValues

from audience_gql.api.context import Context
from audience_gql.api.plans.arguments import Conversion
from audience_gql.api.plans.compiling import NotPlannable
from audience_gql.api.plans.finishing import finished
from audience_gql.api.plans.planned import (
    Composed,
    FieldPlan,
    ForAll,
    Leaf,
    Listed,
    NonNull,
    ObjectPlan,
    Objects,
    Quick,
    Resolver,
    Shape,
    Values,
)

_NULL: Final = type(None)
_ROOT: Final = (None,)
"""The parent of the root fields."""
_AT_ONCE: Final = 500
"""A level with more objects than this is read field by field, with other operations in between."""


@dataclass(frozen=True, slots=True)
class _Info:
    """What resolvers read of the library's info."""

    context: Context


class PlanRun:
    """One execution of a plan."""

    __slots__ = ("_context", "_conversion", "_info", "_variables", "statements")

    def __init__(self, context: Context, variables: VariableValues, conversion: Conversion) -> None:
        self._context = context
        self._info = _Info(context)
        self._variables = variables
        self._conversion = conversion
        self.statements = 0
        """How many root fields were answered by one statement each."""

    async def answer(self, plan: ObjectPlan) -> dict[str, Any]:  # Any: JSON
        """The data of the response. Raises any exception, after which nothing of the plan runs any more."""
        if len(plan.fields) == 1 and (field := plan.fields[0]) is not None and field.leaf is None:
            return {field.key: (await self._resolved(field, _ROOT))[0]}  # as below, in a fifth of the steps
        (data,) = await self._objects(plan, _ROOT)
        return data

    async def _objects(self, plan: ObjectPlan, parents: Sequence[object]) -> list[dict[str, Any]]:
        """The JSON of each of these objects."""
        if not plan.keys:  # @skip leaves out everything
            return [{} for _ in parents]
        columns = []
        for field in plan.fields:
            if len(parents) > _AT_ONCE:
                await asyncio.sleep(0)  # others get their turn
            columns.append(self._column(field, plan, parents))
        waiting = [field for field, column in zip(plan.fields, columns, strict=True) if column is None]
        if waiting:
            works = [self._resolved(field, parents) for field in waiting]
            are_of_level = all(field is not None and isinstance(field.source, ForAll) for field in waiting)
            found = iter(await (_all_of_level(works) if are_of_level else _all(works)))
            columns = [next(found) if column is None else column for column in columns]
        return plan.build(columns)  # type: ignore[arg-type]  # no column is missing now

    @staticmethod
    def _column(field: FieldPlan | None, plan: ObjectPlan, parents: Sequence[object]) -> Values | None:
        """The JSON of a field that needs no waiting; None for any other field, and for a null that must not be."""
        if field is None:
            return [plan.type_name] * len(parents)
        if field.leaf is None or not isinstance(field.source, Quick):
            return None
        values = field.source.read(parents)
        return _written(field.leaf, values) if field.may_be_null or None not in values else None

    async def _resolved(self, field: FieldPlan | None, parents: Sequence[object]) -> Values:
        assert field is not None  # noqa: S101  # __typename does not wait
        if field.statement is not None:
            found = await self._by_statement(field.statement)
            if found is not None:
                self.statements += 1
                return found
        return await self._complete(field.shape, await self._values(field, parents))

    async def _by_statement(self, composed: Composed) -> Values | None:
        """The JSON of a root field; None if it must be read level by level."""
        context, sources = self._context, []
        if context.services.ports.database.is_cluster:
            return None
        for question in composed.questions:
            source = question.source(context, **question.arguments.read(self._variables, self._conversion))
            if source is None:
                return None
            sources.append(source)
        found = await composed.answer.read(
            context.services.ports.database, context.workspace.id, sources, is_shared=context.is_small
        )
        return (
            None if found is None else [None if text is None else finished(text, context) for text in found]
        )

    async def _values(self, field: FieldPlan, parents: Sequence[object]) -> Values:
        """The field's value for each parent."""
        match field.source:
            case Quick(read=read):
                return read(parents)
            case ForAll(read=read):
                arguments = field.arguments.read(self._variables, self._conversion)
                return list(await read(self._context, parents, field.below.columns, **arguments))
            case Resolver() as resolver:
                results = self._called(resolver, field, parents)
                return await _all(results) if resolver.is_async else results

    def _called(self, resolver: Resolver, field: FieldPlan, parents: Sequence[object]) -> list[Any]:
        """What the resolver returns for each parent: a value, or a coroutine."""
        arguments = field.arguments.read(self._variables, self._conversion)
        if resolver.info is not None:
            arguments[resolver.info] = self._info
        call, parent_name = resolver.call, resolver.parent
        if parent_name is None:
            return [call(**arguments) for _ in parents]
        return [call(**{parent_name: parent}, **arguments) for parent in parents]

    async def _complete(self, shape: Shape, values: Values) -> Values:
        """The JSON of these values; None where a value is null."""
        match shape:
            case NonNull(inner=inner):
                completed = await self._complete(inner, values)
                if None in completed:
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


async def _all(works: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """The results of all works, which run at the same time. If one fails, the others are ended first.

    All begin before the event loop turns, so that a loader reads what they ask for by one call.
    """
    return [await works[0]] if len(works) == 1 else await _with_tasks((), works)


async def _all_of_level(works: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """As `_all`, for works that ask for all objects of a level at once. They gain nothing from beginning together.

    Most end without waiting, or only one waits. So the first one that waits is awaited here, and only those after it get tasks.
    """
    if len(works) == 1:
        return [await works[0]]
    results: list[Any] = []
    for at, work in enumerate(works):
        begun = _Begun(work)
        if not begun.is_over:
            return [*results, *await _with_tasks((begun,), works[at + 1 :])]
        if begun.error is not None:
            for other in works[at + 1 :]:
                other.close()
            raise begun.error
        results.append(begun.value)
    return results


async def _with_tasks(begun: Sequence[_Begun], others: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """The results of works that have begun in this task, and of others, which get tasks of their own."""
    if not others:
        return [await work for work in begun]
    tasks = [asyncio.create_task(other) for other in others]
    try:
        return [*[await work for work in begun], *await asyncio.gather(*tasks)]
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


class _Begun:
    """A work that has run up to the first point at which it waits. The same task must await the rest.

    It has a context of its own, as a task would: what it sets, such as the connection of its transaction, is not for the works beside it.
    """

    __slots__ = ("_awaited", "_context", "_work", "error", "is_over", "value")

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self._context = copy_context()
        self._awaited: Any = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_over = False
        self._go_on(work.send, None)

    def __await__(self) -> Generator[Any, Any, Any]:
        while not self.is_over:
            try:
                sent = yield self._awaited
            except BaseException as error:  # noqa: BLE001  # such as a cancellation, which is for the work
                self._go_on(self._work.throw, error)
            else:
                self._go_on(self._work.send, sent)
        if self.error is not None:
            raise self.error
        return self.value

    def _go_on(self, how: Callable[[Any], Any], given: object) -> None:
        try:
            self._awaited = self._context.run(how, given)
        except StopIteration as end:
            self.value = end.value
            self.is_over = True
        except BaseException as error:  # noqa: BLE001  # whoever awaits the work raises it
            self.error = error
            self.is_over = True


def _written(leaf: Leaf, values: Values) -> Values:
    types = set(map(type, values))
    types.discard(_NULL)
    if not types or types == {leaf.json_type}:
        return values
    if leaf.write_all is not None:
        return leaf.write_all(values)
    return [None if value is None else leaf.write(value) for value in values]


def _with_nulls(values: Values, found: Values) -> Values:
    """`found` has the JSON of the values that are not null."""
    there = iter(found)
    return [None if value is None else next(there) for value in values]
