"""Work that is brought to its end although the step is being stopped."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def until_done(work: Coroutine[Any, Any, T]) -> T:
    """The result of some work; a cancellation meanwhile does not stop it and is forgotten: the caller says more."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue
    return task.result()
