"""What is written while a run goes on, and how it is told that numbers went wrong."""

import csv
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.training.callbacks import EachStep, Evaluations, LossTable, PictureGrid, StopAtNonFinite


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


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_run_and_is_named(value: float) -> None:
    with pytest.raises(UserError, match=r"same became (nan|inf) at step 12"):
        run(attached(StopAtNonFinite(10)), [1.0, value])


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
