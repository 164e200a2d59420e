"""What is written while a run goes on, and how it stops."""

import csv
import json
import signal
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf
from PIL import Image

from hicmd_tf.training.callbacks import EachStep, Every, Interruption
from hicmd_tf.training.logs import LossTable, TensorBoard


def table(path: Path, start: int = 0, every: int = 1) -> LossTable:
    """A table, with what stands for a model: three optimisers."""
    found = LossTable(start, every, path, TensorBoard(path.parent / "tb"))
    rates = dict.fromkeys(
        ("generator", "discriminator", "features"), SimpleNamespace(schedule=SimpleNamespace(at=lambda step: 0.5))
    )
    found.set_model(SimpleNamespace(optimisers=SimpleNamespace(by_part=lambda: rates)))
    return found


def run(callback: EachStep, values: list[float]) -> None:
    for value in values:
        callback.on_train_batch_end(0, {"same": value})
    callback.on_train_end()


def rows(path: Path) -> list[tuple[int, float]]:
    with path.open() as file:
        return [(int(row["step"]), float(row["same"])) for row in csv.DictReader(file)]


def test_a_row_is_the_mean_since_the_row_before_and_tensorboard_has_it(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    run(table(path, every=2), [1, 3, 5, 9, 7])
    assert rows(path) == [(2, 2.0), (4, 7.0)]
    (events,) = (tmp_path / "tb").iterdir()
    shown = [
        (event.step, value.tag, value.simple_value)
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    ]
    assert (4, "same", 7.0) in shown and (4, "feature_rate", 0.5) in shown


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (b"", None),
        (b" \r\n\n", None),
        (b"6,1.0,0.5,0.5,0.5", "line 5 can't be read"),  # whose last number may be cut short
        (b"\0" * 4096, "line 5 can't be read"),
        (b"\xff\xfe\x80\n\0\n", "lines 5, 6 can't be read"),
        (b"4,x,0.5,0.5,0.5\n", "line 5 can't be read"),
        (b"4,1,0.5,0.5,0.5,7\n", "line 5 can't be read"),
        (b"2,1,0.5,0.5,0.5\n", "line 5 can't be read"),  # again
        (b"4,1,0.5,0.5,0.5\r\n5,1,0.5,0.5,0.5\r\n", None),
    ],
)
def test_a_resumed_table_drops_what_it_makes_again_and_what_cannot_be_read(
    tail: bytes, said: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "losses.csv"
    run(table(path), [1, 2, 3])
    path.write_bytes(path.read_bytes() + tail)
    with pytest.warns(UserWarning, match=said) if said else nullcontext():
        run(table(path, start=2), [8, 9])
    assert rows(path) == [(1, 1.0), (2, 2.0), (3, 8.0), (4, 9.0)]
    assert b"\r" not in path.read_bytes()


def test_a_table_torn_in_its_first_line_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_bytes(b"step,sa")
    with pytest.warns(UserWarning, match="line 1 can't be read"):
        run(table(path, start=2), [8, 9])
    assert rows(path) == [(3, 8.0), (4, 9.0)]


def test_columns_go_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("step,feature_rate,gone,same\n1,0.5,7,1.5\n2,0.5,7,2.5\n3,0.5,7,3.5\n")
    run(table(path, start=2), [8])
    with path.open() as file:
        found = list(csv.DictReader(file))
    assert [row["same"] for row in found] == ["1.5", "2.5", "8"] and found[2]["gone"] == ""
    assert [row["generator_rate"] for row in found] == ["", "", "0.5"]


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_mean_goes_on_where_it_was_interrupted(stop: int, tmp_path: Path) -> None:
    """Sums go through JSON, as in a checkpoint, and come back to the bit."""
    values = [0.1 * (n + 1) ** 0.5 for n in range(8)]
    one, other = tmp_path / "a" / "l.csv", tmp_path / "b" / "l.csv"
    whole, resumed = table(one, every=3), table(other, every=3)
    run(whole, values)
    run(resumed, values[:stop])
    again = table(other, start=stop, every=3)
    again.remember(json.loads(json.dumps(resumed.memory())))
    run(again, values[stop:])
    assert one.read_text() == other.read_text() and whole.memory() == again.memory()


def test_pictures_reach_tensorboard_at_their_interval(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    run(Every(2, 3, lambda step: board.picture(step, "pictures", Image.new("RGB", (2, 3)))), [0.0] * 7)
    board.close()
    (events,) = tmp_path.iterdir()
    shown = [
        (event.step, tf.io.decode_png(value.image.encoded_image_string).shape)
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    ]
    assert shown == [(3, (3, 2, 3)), (6, (3, 2, 3)), (9, (3, 2, 3))]


def test_the_first_signal_ends_training_behind_its_step_and_a_second_ctrl_c_at_once() -> None:
    before = [signal.getsignal(number) for number in Interruption.SIGNALS]
    for first in Interruption.SIGNALS:
        watching = Interruption(0)
        watching.set_model(SimpleNamespace(stop_training=False))
        watching.on_train_begin()
        watching.on_train_batch_end(0, {})
        assert not watching.model.stop_training
        signal.raise_signal(first)
        watching.on_train_batch_end(1, {})
        assert watching.model.stop_training
        signal.raise_signal(signal.SIGTERM)  # which schedulers repeat
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        watching.on_train_end()
        assert [signal.getsignal(number) for number in Interruption.SIGNALS] == before
