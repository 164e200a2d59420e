"""Pictures that can't be used, and pictures that are twice, as a run meets them."""

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.config import load, with_values
from hicmd_tf.config.loading import BASE
from hicmd_tf.errors import UserError
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.metrics import metrics_of
from hicmd_tf.training.experiment import prepare
from hicmd_tf.training.run import _prepared


@pytest.fixture
def config(smoke_config, tmp_path):
    """Eight people who train, eight who are tested, in a folder."""
    folder = trees.own(tmp_path / "own", tuple(map(str, range(1, 17))))
    source = {"data.name": "folder", "data.source": str(folder), "data.directory": str(tmp_path)}
    return with_values(smoke_config, source)


def spoil(config, *names: str) -> None:
    for name in names:
        with open(f"{config.data.source}/{name}", "r+b") as file:
            file.truncate(100)


def test_what_a_run_skips_is_counted_in_its_metrics_and_what_is_twice_is_warned_of(config, tmp_path) -> None:
    spoil(config, "train/2/visible/cam1_1.png", "test/9/infrared/cam2_2.png", "test/16/visible/cam1_1.png")
    own = tmp_path / "own"
    (own / "test/12/visible/cam1_1.png").write_bytes((own / "train/3/infrared/cam2_2.png").read_bytes())
    config = with_values(config, {"data.check": "skip"})
    with pytest.warns(UserWarning) as warned:
        experiment = _prepared(config)
    descriptors = np.random.default_rng(0).normal(size=(len(experiment.data.test), 4))
    metrics = metrics_of(config, RunFolder(tmp_path / "run"), experiment.data, 0, descriptors)
    assert [str(one.message)[:44] for one in warned] == [
        "2 of 32 test pictures can't be used and are ",
        "1 of 32 training pictures can't be used and ",
        "train/3/infrared/cam2_2.png (training) and t",
    ]
    assert metrics["skipped"] == {"train": 1, "test": 2} and metrics["pictures"] == {"visible": 15, "infrared": 15}
    assert len(experiment.planner.labels) == 31


@pytest.mark.filterwarnings("ignore:.*can't be used and are skipped")
@pytest.mark.parametrize(
    ("check", "said"),
    [
        (
            "stop",
            r"^training picture train/2/visible/cam1_1\.png can't be decoded \(and 1 more can't be used: train/2/.*\)",
        ),
        ("skip", r"^identity 2 has no visible picture \(1 such identity\): training needs both"),
    ],
)
def test_a_run_stops_before_anything_is_built(check: str, said: str, config, monkeypatch) -> None:
    spoil(config, "train/2/visible/cam1_1.png", "train/2/visible/cam2_2.png")
    monkeypatch.setattr("hicmd_tf.training.experiment.build_model", lambda *_: pytest.fail("it went on"))
    with pytest.raises(UserError, match=said):
        prepare(with_values(config, {"data.check": check}))


def test_weights_that_are_not_there_are_reported_before_data_are_prepared(tmp_path) -> None:
    values = {"networks.resnet_weights": str(tmp_path / "gone.h5"), "data.directory": str(tmp_path / "data")}
    with pytest.raises(UserError, match=r"there is no file .*gone\.h5"):
        prepare(load(BASE, values))
    assert not list(tmp_path.iterdir())
