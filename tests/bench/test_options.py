"""Numbers of measurements on the benches' command lines."""

import argparse

import pytest

from bench.options import at_least_one


def test_a_bench_measures_at_least_once() -> None:
    assert at_least_one("3") == 3
    for text in ("0", "-1", "1.5", "many", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="expected 1 or more"):
            at_least_one(text)
