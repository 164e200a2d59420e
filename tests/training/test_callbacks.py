"""What is written while a run goes on, and how it is told that numbers went wrong."""

import csv
import json
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.training.callbacks import EachStep, Evaluations, Interruption, LossTable, PictureGrid, memories, remember


def attached(callback: EachStep) -> EachStep:
    """The callback with what stands for a model: three optimisers."""
    optimiser = SimpleNamespace(learning_rate=0.5)
    names = ("optimizer", "discriminator_optimiser", "feature_optimiser")
    callback.set_model(SimpleNamespace(**dict.fromkeys(names, optimiser)))
    return callback


def run(callback: EachStep, values: list[float]) -> None:
    for value in values:
        callback.on_train_batch_end(0, {"same": value})
    callback.on_train_end()


def rows(path: Path) -> list[tuple[int, float]]:
    with path.open() as file:
        return [(int(row["step"]), float(row["same"])) for row in csv.DictReader(file)]


def test_a_row_is_the_mean_since_the_row_before(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    run(attached(LossTable(0, 2, path, tmp_path / "tb")), [1, 3, 5, 9, 7])
    assert rows(path) == [(2, 2.0), (4, 7.0)]
    assert list((tmp_path / "tb").glob("events*"))


@pytest.mark.parametrize("torn", ["", "6,", "6", "6,1.0,0.5,0.5"])
def test_a_resumed_table_drops_what_it_makes_again_and_a_torn_line(torn: str, tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    run(attached(LossTable(0, 1, path, tmp_path / "tb")), [1, 2, 3])
    with path.open("a") as file:
        file.write(torn)
    run(attached(LossTable(2, 1, path, tmp_path / "tb")), [8, 9])
    assert rows(path) == [(1, 1.0), (2, 2.0), (3, 8.0), (4, 9.0)]


def test_a_table_torn_in_its_first_line_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("step,sa")
    run(attached(LossTable(0, 1, path, tmp_path / "tb")), [4])
    assert rows(path) == [(1, 4.0)]


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_mean_goes_on_where_it_was_interrupted(stop: int, tmp_path: Path) -> None:
    """Sums go through JSON, as in a checkpoint, and come back to the bit."""
    values = [0.1 * (n + 1) ** 0.5 for n in range(8)]
    whole, resumed = (attached(LossTable(0, 3, tmp_path / name / "l.csv", tmp_path / name)) for name in ("a", "b"))
    run(whole, values)
    run(resumed, values[:stop])
    kept = json.loads(json.dumps(memories([resumed])))
    again = attached(LossTable(stop, 3, tmp_path / "b" / "l.csv", tmp_path / "b"))
    remember([again], kept)
    run(again, values[stop:])
    assert (tmp_path / "a" / "l.csv").read_text() == (tmp_path / "b" / "l.csv").read_text()
    assert (whole.sums, whole.count) == (again.sums, again.count)


def test_a_checkpoint_without_memories_begins_a_mean(tmp_path: Path) -> None:
    table = attached(LossTable(4, 3, tmp_path / "l.csv", tmp_path / "tb"))
    remember([table], {})
    run(table, [1, 3])
    assert rows(tmp_path / "l.csv") == [(6, 2.0)]


def test_a_full_disk_ends_the_run_in_one_line(tmp_path: Path) -> None:
    """/dev/full refuses every byte, as a full disk does."""
    table = attached(LossTable(0, 1, tmp_path / "losses.csv", tmp_path / "tb"))
    (tmp_path / "losses.csv").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"losses\.csv: can't be written \(No space left on device\); free space"):
        run(table, [1.0])


def test_the_first_signal_ends_training_behind_its_step_and_a_second_ctrl_c_at_once() -> None:
    before = [signal.getsignal(number) for number in Interruption.SIGNALS]
    for first in Interruption.SIGNALS:
        watching = attached(Interruption(0))
        watching.model.stop_training = False
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


def test_pictures_come_at_their_interval(tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "pictures"
    run(attached(PictureGrid(2, 3, folder, tmp_path / "tensorboard", lambda: Image.new("RGB", (2, 2)))), [0.0] * 7)
    assert sorted(path.name for path in folder.iterdir()) == [f"step_{n:07d}.png" for n in (3, 6, 9)]
    assert list((tmp_path / "tensorboard").iterdir())


def test_figures_come_at_their_interval_and_go_on_behind_a_resumption(tmp_path: Path) -> None:
    values = iter(range(1, 9))
    for start in (0, 4):  # stopped behind step 5, resumed from step 4
        judged = Evaluations(start, 2, tmp_path / "e.csv", tmp_path / "tb", lambda: {"mAP": float(next(values))})
        run(attached(judged), [0.0] * 5)
    with (tmp_path / "e.csv").open() as file:
        rows = [(int(row["step"]), float(row["mAP"])) for row in csv.DictReader(file)]
    assert rows == [(2, 1.0), (4, 2.0), (6, 3.0), (8, 4.0)]
