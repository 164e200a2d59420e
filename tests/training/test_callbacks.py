"""What is written while a run goes on, and how it is told that numbers went wrong."""

import csv
import json
import signal
from contextlib import nullcontext
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


def goes_on(path: Path, start: int = 2, said: str | None = None) -> list[tuple[int, float]]:
    """The rows of a table that held 1, 2 and 3 after as many steps and was gone on with; said: in a warning."""
    with pytest.warns(UserWarning, match=said) if said else nullcontext():
        table = LossTable(start, 1, path, path.parent / "tb")
    run(attached(table), [8, 9])
    return rows(path)


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (b"", None),
        (b"\n", None),
        (b" \r\n\n", None),
        (b"6,", "line 5 can't be read"),
        (b"6", "line 5 can't be read"),
        (b"6,1.0,0.5,0.5", "line 5 can't be read"),
        (b"6,1.0,0.5,0.5,0.5", "line 5 can't be read"),  # whose last number may be cut short
        (b"\0" * 4096, "line 5 can't be read"),
        (b"\xff\xfe\x80\n\0\n", "lines 5, 6 can't be read"),
        (b"x,1,0.5,0.5,0.5\n", "line 5 can't be read"),
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
    run(attached(LossTable(0, 1, path, tmp_path / "tb")), [1, 2, 3])
    path.write_bytes(path.read_bytes() + tail)
    assert goes_on(path, said=said) == [(1, 1.0), (2, 2.0), (3, 8.0), (4, 9.0)]
    assert b"\r" not in path.read_bytes() and path.read_bytes().count(b"\n") == 5


def test_a_damaged_row_before_the_checkpoint_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    run(attached(LossTable(0, 1, path, tmp_path / "tb")), [1, 2, 3])
    head, first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([head, first[:4] + b"\0" + first[5:], *others]))
    assert goes_on(path, said="line 2 can't be read") == [(2, 2.0), (3, 8.0), (4, 9.0)]


@pytest.mark.parametrize("content", [b"step,sa", b"", b"\n", b"\0\0\0"])
def test_a_table_torn_in_its_first_line_begins_again(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    for start in (0, 2):
        path.write_bytes(content)
        said = "line 1 does not name columns" if start and content.strip() else None
        assert goes_on(path, start, said) == [(start + 1, 8.0), (start + 2, 9.0)]


def test_a_table_whose_columns_are_not_named_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_bytes(content := b"1,1\n2,2\n")
    with pytest.raises(UserError, match=r"losses\.csv: line 1 does not name columns.*move the file away"):
        LossTable(2, 1, path, tmp_path / "tb")
    assert path.read_bytes() == content


def test_columns_of_an_earlier_version_go_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("step,feature_rate,gone,same\n1,0.5,7,1.5\n2,0.5,7,2.5\n3,0.5,7,3.5\n")
    run(attached(LossTable(2, 1, path, tmp_path / "tb")), [8])
    run(attached(LossTable(3, 1, path, tmp_path / "tb")), [9])
    with path.open() as file:
        found = list(csv.DictReader(file))
    assert [row["same"] for row in found] == ["1.5", "2.5", "8", "9"]
    assert [row["gone"] for row in found] == ["7", "7", "", ""]
    assert [row["generator_rate"] for row in found] == ["", "", "0.5", "0.5"]
    assert [row["feature_rate"] for row in found] == ["0.5"] * 4


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
    for start in (0, 4):  # stopped after step 5, resumed from step 4
        judged = Evaluations(start, 2, tmp_path / "e.csv", tmp_path / "tb", lambda: {"mAP": float(next(values))})
        run(attached(judged), [0.0] * 5)
    with (tmp_path / "e.csv").open() as file:
        rows = [(int(row["step"]), float(row["mAP"])) for row in csv.DictReader(file)]
    assert rows == [(2, 1.0), (4, 2.0), (6, 3.0), (8, 4.0)]
