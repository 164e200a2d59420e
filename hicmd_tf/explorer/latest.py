"""Work that may be asked for faster than it is done: what waits is replaced by what is asked for last."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Made = TypeVar("Made")


class Latest(Generic[Asked, Made]):
    """work: awaited for one thing at a time. show: called with each thing and what was made of it."""

    def __init__(self, work: Callable[[Asked], Awaitable[Made]], show: Callable[[Asked, Made], None]) -> None:
        self._work, self._show = work, show
        self._waiting: list[Asked] = []
        self._busy = False

    async def ask(self, wanted: Asked) -> None:
        """Has a thing made, at once or behind the one under way; what waited until now is never made."""
        self._waiting = [wanted]
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                current = self._waiting.pop()
                self._show(current, await self._work(current))
        finally:
            self._busy = False
