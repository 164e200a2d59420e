"""Requests that come together are answered together, and each gets its own."""

import threading
import time
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.export.serving.batching import Batcher
from hicmd_tf.export.serving.failures import Failure, Kind


class Model:
    """Doubles its rows, refuses negative ones; remembers how many rows came together."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def run(self, signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
        self.gate.wait()
        self.calls.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise Failure(Kind.INVALID, "a negative row")
        return {"y": 2 * inputs["x"]}


def rows(*values: float) -> dict[str, Any]:
    return {"x": np.array(values)}


def held(model: Model, batcher: Batcher) -> Future[Any]:
    """Keeps the model busy with one request, so that those after it wait together."""
    model.gate.clear()
    first = batcher.submit("a", rows(0), True, 60)
    while batcher._waiting:
        time.sleep(0.001)
    return first


def test_what_waits_is_joined_up_to_the_limit() -> None:
    model = Model()
    batcher = Batcher(model.run, most_rows=4, wait=0)
    first = held(model, batcher)
    answers = [batcher.submit("a", rows(i, i + 0.5), True, 60) for i in range(1, 6)]
    model.gate.set()
    assert [answer.result()["y"].tolist() for answer in (first, *answers)] == [
        [0],
        *[[2 * i, 2 * i + 1] for i in range(1, 6)],
    ]
    assert model.calls == [1, 4, 4, 2]
    assert (batcher.requests, batcher.batches) == (6, 4)
    batcher.close()


def test_other_signatures_shapes_and_unjoinable_requests_stay_alone() -> None:
    model = Model()
    batcher = Batcher(model.run, wait=0)
    held(model, batcher)
    wide = {"x": np.ones((1, 3))}
    asked = [("a", rows(1), True), ("b", rows(2), True), ("a", wide, True), ("a", rows(3), False), ("a", rows(4), True)]
    answers = [batcher.submit(*one, 60) for one in asked]
    model.gate.set()
    for (_, inputs, _), answer in zip(asked, answers, strict=True):
        assert np.array_equal(answer.result()["y"], 2 * inputs["x"])
    assert sorted(model.calls) == [1, 1, 1, 1, 2]
    batcher.close()


def test_one_bad_row_fails_its_own_request_only() -> None:
    model = Model()
    batcher = Batcher(model.run, wait=0)
    held(model, batcher)
    good, bad, other = (batcher.submit("a", rows(value), True, 60) for value in (1, -1, 3))
    model.gate.set()
    assert good.result()["y"].tolist() == [2]
    with pytest.raises(Failure, match="negative"):
        bad.result()
    assert other.result()["y"].tolist() == [6]
    batcher.close()


def test_a_full_queue_refuses_and_goes_on() -> None:
    model = Model()
    batcher = Batcher(model.run, wait=0, capacity=3)
    held(model, batcher)
    answers = [batcher.submit("a", rows(i), True, 60) for i in range(3)]
    with pytest.raises(Failure) as refused:
        batcher.submit("a", rows(9), True, 60)
    assert refused.value.kind is Kind.BUSY
    model.gate.set()
    assert [answer.result()["y"].tolist() for answer in answers] == [[0], [2], [4]]
    assert batcher.submit("a", rows(9), True, 60).result()["y"].tolist() == [18]
    batcher.close()


def test_a_request_that_waited_too_long_is_not_run() -> None:
    model = Model()
    batcher = Batcher(model.run, wait=0)
    held(model, batcher)
    late = batcher.submit("a", rows(1), True, 0)
    model.gate.set()
    with pytest.raises(Failure) as refused:
        late.result()
    assert refused.value.kind is Kind.LATE
    assert model.calls == [1]
    batcher.close()


def test_closing_answers_what_waits_and_refuses_what_comes() -> None:
    model = Model()
    batcher = Batcher(model.run, wait=10)
    answer = batcher.submit("a", rows(1), True, 60)
    batcher.close()
    assert answer.result()["y"].tolist() == [2]
    with pytest.raises(Failure, match="stopping"):
        batcher.submit("a", rows(1), True, 60)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(-1, 5), min_size=1, max_size=4)), max_size=20),
    st.integers(1, 6),
)
def test_however_they_are_joined_each_gets_its_own(asked: list[tuple[str, list[int]]], most: int) -> None:
    model = Model()
    batcher = Batcher(model.run, most_rows=most, wait=0.0005)
    answers = [batcher.submit(signature, rows(*values), True, 60) for signature, values in asked]
    for (_, values), answer in zip(asked, answers, strict=True):
        if min(values) < 0:
            with pytest.raises(Failure):
                answer.result()
        else:
            assert answer.result()["y"].tolist() == [2 * value for value in values]
    batcher.close()
