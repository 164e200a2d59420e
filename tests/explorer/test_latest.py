"""What is asked for faster than it is made: the last wins, and nothing queues up."""

import asyncio

import pytest

from hicmd_tf.explorer.latest import Latest


def test_what_waits_is_replaced_by_what_is_asked_for_last() -> None:
    begun: list[int] = []
    shown: list[tuple[int, int]] = []

    async def scenario() -> None:
        go_on = asyncio.Event()

        async def square(number: int) -> int:
            begun.append(number)
            await go_on.wait()
            return number * number

        latest: Latest[int, int] = Latest(square, lambda *pair: shown.append(pair))
        first = asyncio.create_task(latest.ask(1))
        await asyncio.sleep(0)
        for number in (2, 3, 4):
            await latest.ask(number)  # which returns at once, for 1 is under way
        assert begun == [1] and not shown
        go_on.set()
        await first
        await latest.ask(5)

    asyncio.run(scenario())
    assert begun == [1, 4, 5] and shown == [(1, 1), (4, 16), (5, 25)]


def test_a_failure_stops_nothing_that_comes_after() -> None:
    shown: list[tuple[int, float]] = []

    async def reciprocal(number: int) -> float:
        return 1 / number

    async def scenario() -> None:
        latest: Latest[int, float] = Latest(reciprocal, lambda *pair: shown.append(pair))
        with pytest.raises(ZeroDivisionError):
            await latest.ask(0)
        await latest.ask(2)

    asyncio.run(scenario())
    assert shown == [(2, 0.5)]
