"""Functions of every form with a span around each call: plain, async, generators, async generators.

The span of a generator starts with its first item and ends with its last; it is the current one only while the
generator's own code runs, not while the consumer works on an item.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, TypeVar, cast

from opentelemetry.context import attach, detach, get_current

from swarmscope.sdk.scopes import Scope

Function = TypeVar("Function", bound=Callable[..., Any])
Arguments = tuple[tuple[Any, ...], dict[str, Any]]
OpenScope = Callable[[Arguments], Scope]
CloseScope = Callable[[Scope, Any], None]


def wrapped(function: Function, open_scope: OpenScope, on_result: CloseScope) -> Function:
    """The function, in the same form, with a scope around each call.

    `on_result(scope, result)` is called before the scope of a call that gave a result ends; generators give none.
    """
    if inspect.isasyncgenfunction(function):
        wrapper = _around_async_generator(function, open_scope)
    elif inspect.isgeneratorfunction(function):
        wrapper = _around_generator(function, open_scope)
    elif inspect.iscoroutinefunction(function):
        wrapper = _around_coroutine(function, open_scope, on_result)
    else:
        wrapper = _around_function(function, open_scope, on_result)
    return cast(Function, functools.wraps(function)(wrapper))


def _around_function(function: Callable[..., Any], open_scope: OpenScope, on_result: CloseScope) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        scope = open_scope((args, kwargs))
        token = attach(scope.context)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            scope.end(error)
            raise
        finally:
            detach(token)
        if hasattr(result, "add_done_callback"):  # a future or task: it runs on, and the caller may want it itself
            result.add_done_callback(functools.partial(_end_with_future, scope))
            return result
        if inspect.isawaitable(result):
            return _awaited(result, scope, on_result)
        on_result(scope, result)
        scope.end()
        return result

    return wrapper


def _end_with_future(scope: Scope, future: Any) -> None:
    try:
        scope.end(future.exception())
    except BaseException as error:  # cancelled
        scope.end(error)


async def _awaited(result: Awaitable[Any], scope: Scope, on_result: CloseScope) -> Any:
    with scope:
        value = await result
        on_result(scope, value)
        return value


def _around_coroutine(function: Callable[..., Any], open_scope: OpenScope, on_result: CloseScope) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await _awaited(function(*args, **kwargs), open_scope((args, kwargs)), on_result)

    return wrapper


def _around_generator(function: Callable[..., Any], open_scope: OpenScope) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        scope = open_scope((args, kwargs))
        try:
            result = yield from _steps(function(*args, **kwargs), scope)
        except BaseException as error:
            scope.end(error)
            raise
        scope.end()
        return result

    return wrapper


def _steps(inner: Generator[Any, Any, Any], scope: Scope) -> Generator[Any, Any, Any]:
    resume: Callable[[Any], Any] = inner.send
    value: Any = None
    context = scope.context
    while True:
        token = attach(context)
        try:
            item = resume(value)
        except StopIteration as stop:
            return stop.value
        finally:
            context = get_current()  # with whatever the generator has opened itself
            detach(token)
        try:
            value = yield item
            resume = inner.send
        except GeneratorExit:
            token = attach(context)
            try:
                inner.close()
            finally:
                detach(token)
            raise
        except BaseException as error:
            resume, value = inner.throw, error


def _around_async_generator(function: Callable[..., Any], open_scope: OpenScope) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        scope = open_scope((args, kwargs))
        inner = function(*args, **kwargs)
        resume: Callable[[Any], Awaitable[Any]] = inner.asend
        value: Any = None
        context = scope.context
        try:
            while True:
                token = attach(context)
                try:
                    item = await resume(value)
                finally:
                    context = get_current()
                    detach(token)
                try:
                    value = yield item
                    resume = inner.asend
                except GeneratorExit:
                    token = attach(context)
                    try:
                        await inner.aclose()
                    finally:
                        detach(token)
                    raise
                except BaseException as error:
                    resume, value = inner.athrow, error
        except StopAsyncIteration:
            scope.end()
        except BaseException as error:
            scope.end(error)
            raise

    return wrapper
