"""Work that is done ahead of who needs it, by threads, in order and never far ahead (imports no TensorFlow)."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")

THREADS = max(2, min(8, os.cpu_count() or 1))  # pictures are decoded without Python's lock


def ahead(work: Callable[[Given], Found], items: Iterable[Given], most: int = 2 * THREADS) -> Iterator[Found]:
    """`map(work, items)`, of which up to `most` results are made before they are asked for. What `work` raises, is
    raised in its place; who stops asking leaves nothing behind."""
    waiting: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(min(THREADS, most)) as threads:
        try:
            for item in items:
                waiting.append(threads.submit(work, item))
                if len(waiting) > most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for unwanted in waiting:
                unwanted.cancel()
