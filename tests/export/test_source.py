"""Whose pictures an export is compared by."""

import numpy as np
import pytest

from hicmd_tf.config import load
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.export import source


def test_artefacts_are_compared_by_people_who_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    identities, infrared = np.array([-1, -1, 2, 5, 5, 7, 7]), np.array([0, 1, 0, 0, 1, 1, 0], bool)
    samples = Samples([b""] * 7, list("abcdefg"), identities, infrared, np.ones(7, np.int64))
    none = samples.select(np.empty(0, np.int64))
    monkeypatch.setattr(source, "load", lambda data: DataSplits(none, none, samples))
    config = load("tiny")
    assert source.tested(config, 1).identities.tolist() == [5, 5]
    assert source.tested(config, 9).identities.tolist() == [5, 5, 7, 7]
    assert source.tested(config, 0) is samples
