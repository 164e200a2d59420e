"""Whom a run was trained on, as its folder says it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.labels import number, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json, write_json
from hicmd_tf.runs.trained import Trained, flattering, read_trained, refuse_trained, trained_among, written


def test_people_with_names_are_refused_by_name_and_unknown_ones_never(smoke_config: Config, tmp_path: Path) -> None:
    identities = np.array([number("anna"), number("bob"), -1])
    texts = texts_of(["anna", "bob"])
    zeros = np.zeros(3, np.int64)
    samples = Samples([b""] * 3, ["a", "b", "c"], identities, zeros.astype(bool), zeros, texts=texts)
    everyone = Trained.of(smoke_config, samples)
    assert everyone.identities == sorted([number("anna"), number("bob")])
    write_json(tmp_path / "identities.json", written(everyone, texts))
    stored = read_trained(tmp_path / "identities.json")
    assert stored == everyone and sorted(read_json(tmp_path / "identities.json")["names"]) == ["anna", "bob"]
    assert read_trained(tmp_path / "other.json") is None
    tested = samples.select(np.array([0, 2]))
    said = "1 of the 1 identity was trained on, the first is anna: evaluate on the trial that"
    with pytest.raises(UserError, match=said):
        refuse_trained(stored, smoke_config, tested)
    refuse_trained(stored, smoke_config, samples.select(np.array([2])))
    own = with_values(smoke_config, {"data.name": "folder", "data.source": "x"})  # which has no trials
    with pytest.raises(
        UserError, match=r"evaluate on pictures of other people, or give --allow-trained .* known by name: others"
    ):
        refuse_trained(Trained.of(own, samples), own, tested)


def test_whom_the_weights_saw_before_counts_too() -> None:
    trained = Trained("folder", [1, 2], {"folder": [3], "regdb": [4]})
    assert trained_among(trained, "folder", [4, 3, 1, -1]) == [1, 3] and trained_among(trained, "regdb", [4]) == [4]
    assert flattering(trained, "folder", [1, 1, 3, 4, -1]).startswith("the run was trained on 2 of these 3 people: ")
    assert flattering(trained, "llcm", [1]) == flattering(trained, "folder", [-1, 9]) == flattering(None, "folder", [1])


@pytest.mark.parametrize(
    "found",
    [None, {}, {"people": "regdb"}, {"people": 1, "identities": [1]}, {"people": "regdb", "identities": ["1"]}],
)
def test_anything_else_is_one_line_that_names_the_file(found: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "identities.json", found)
    with pytest.raises(UserError, match=r"identities\.json doesn't say on whom was trained"):
        read_trained(tmp_path / "identities.json")
