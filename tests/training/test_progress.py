"""What a user sees while steps are made: that the first one is long, and the time left."""

from pathlib import Path
from unittest.mock import patch

from hicmd_tf.config import load
from hicmd_tf.training.callbacks import ProgressBar
from hicmd_tf.training.experiment import prepare
from hicmd_tf.training.loop import iterate

LOSSES = dict.fromkeys(ProgressBar.SHOWN, 1.0)


def test_the_time_left_is_that_of_the_iterations_after_the_first(capsys) -> None:
    now = [1000.0]
    with patch("tqdm.std.time", lambda: now[0]):
        bar = ProgressBar(start=50, steps=100)
        bar.on_train_begin()
        for step, seconds in enumerate([300, *[2.0] * 9]):
            now[0] += seconds
            bar.on_train_batch_end(step, LOSSES)
        shown = bar.bar.format_dict
        assert (shown["n"], shown["total"], shown["elapsed"]) == (60, 100, 18)
        now[0] += 31  # a log file has a line each 30 seconds
        bar.on_train_batch_end(10, LOSSES)
        bar.bar.refresh()
        bar.on_train_end()
    first, *_, last = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()
    assert " 50/100 " in first and " 61/100 [00:49<03:" in last


def test_the_first_iteration_is_announced_once(smoke_directory: Path, capsys) -> None:
    plumbing = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
    experiment = prepare(load(plumbing, {"data.directory": str(smoke_directory)}))
    iterate(experiment, 0, 2, [])
    assert experiment.model.step == 2
    assert capsys.readouterr().err.count("building the graph of the iteration") == 1
