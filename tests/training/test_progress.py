"""The progress bar, by a clock of the test's."""

from unittest.mock import patch

from hicmd_tf.training.callbacks import ProgressBar

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
