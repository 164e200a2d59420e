"""Weights of another run to begin with: all but the classifier, from networks of the same form, and whom they know."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.datasets import load
from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.method.networks.build import build_networks
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.initial import CLASSIFIER, RANDOM, read_initial, words
from hicmd_tf.runs.model import untrained
from hicmd_tf.runs.opened import OpenedRun
from hicmd_tf.runs.trained import Trained, read_trained, refuse_trained, written

CLASSES = 9  # of other people than the six of the source


def values(networks: Any) -> dict[str, np.ndarray]:
    return {name: np.array(variable) for name, variable in networks.variables().items() if RANDOM not in name}


def beginning(config: Config, run: Path, **more: Any) -> Config:
    return with_values(config, {"training.initialise": str(run), **more})


def test_everything_but_the_classifier_is_taken_and_listed(smoke_config: Config, smoke_run: Path) -> None:
    source = values(OpenedRun(smoke_run).model.networks)
    networks = build_networks(smoke_config.networks, CLASSES)
    before = values(networks)
    initial = read_initial(beginning(smoke_config, smoke_run))
    assert initial is not None
    told = initial.fill(networks)

    for name, value in values(networks).items():
        expected = before if CLASSIFIER in name else source
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    assert list(told["left"]) == [f"features/{CLASSIFIER}kernel", f"features/{CLASSIFIER}bias"]
    assert sum(told["taken"].values()) == len(source) - 2
    assert told["steps"] == 0 and told["run"] == str(smoke_run) and len(told["sha256"]) == 64
    line = words(told)
    assert "\n" not in line and all(part in line for part in ("visible attribute", "decoder", "head", CLASSIFIER))


def test_without_the_setting_there_is_none(smoke_config: Config) -> None:
    assert read_initial(smoke_config) is None


def test_figures_of_untrained_networks_are_of_random_weights(smoke_config: Config, smoke_run: Path) -> None:
    trained = OpenedRun(smoke_run).model.classes
    random = values(untrained(smoke_config, trained).networks)
    with_initial = values(untrained(beginning(smoke_config, smoke_run / "gone"), trained).networks)
    assert all(np.array_equal(with_initial[name], value) for name, value in random.items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"networks.decoder.widths": [8, 4]},
            r"networks\.decoder\.widths is \[8, 4\], but .*smoke, .* has \[4, 4\]: give --networks\.decoder\.widths "
            r"\[4,4\], or another run",
        ),
        ({"networks.feature_learning.embedding": 32}, r"embedding is 32, but .* has 16"),
    ],
)
def test_networks_of_another_form_are_refused(
    changes: dict[str, Any], said: str, smoke_config: Config, smoke_run: Path
) -> None:
    with pytest.raises(UserError, match=said):
        read_initial(beginning(smoke_config, smoke_run, **changes))
    still = {"networks.feature_learning.dropout": 0.1, "networks.discriminator_init": "kaiming"}
    assert read_initial(beginning(smoke_config, smoke_run, **still)) is not None


def test_networks_that_compute_otherwise_with_weights_of_the_same_form_are_told(
    smoke_config: Config, smoke_run: Path
) -> None:
    ours = {"networks.feature_learning.descriptor": "fc", "networks.feature_learning.normalise_parts": False}
    theirs = smoke_config.networks.feature_learning
    assert (theirs.descriptor, theirs.normalise_parts) == ("batch_norm", True)
    config = beginning(smoke_config, smoke_run, **ours)
    initial = read_initial(config)
    assert initial is not None
    line = words(initial.fill(build_networks(config.networks, CLASSES)))
    assert line.endswith(
        "; computed otherwise there: networks.feature_learning.descriptor batch_norm, here fc, "
        "networks.feature_learning.normalise_parts True, here False"
    )


def test_strides_of_other_resnets_are_refused(smoke_config: Config, smoke_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(smoke_run, tmp_path / "run"))
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("resnet_weights: none", "resnet_weights: some.h5"))
    with pytest.raises(UserError, match=r"some\.h5"):
        read_initial(beginning(smoke_config, run))


def test_what_is_no_run_is_one_line(smoke_config: Config, smoke_run: Path, tmp_path: Path) -> None:
    (tmp_path / "gen_0000001.pt").touch()
    with pytest.raises(UserError, match=r"released checkpoints: make a run of them first, hicmd convert"):
        read_initial(beginning(smoke_config, tmp_path))
    with pytest.raises(UserError, match=r"nowhere is not a run folder"):
        read_initial(beginning(smoke_config, tmp_path / "nowhere"))
    run = Path(shutil.copytree(smoke_run, tmp_path / "run"))
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(UserError, match=r"has no checkpoint yet"):
        read_initial(beginning(smoke_config, run))


def test_a_relative_folder_is_found_from_elsewhere(
    smoke_config: Config, smoke_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    monkeypatch.chdir(smoke_run.parent)
    folder.begin(beginning(smoke_config, Path(smoke_run.name)), resume=False)
    monkeypatch.chdir(tmp_path)
    assert folder.open().training.initialise == os.path.join(smoke_run.parent, smoke_run.name)


def test_people_whom_the_weights_have_seen_are_not_tested_on(smoke_config: Config, tmp_path: Path) -> None:
    splits = load(smoke_config.data)
    seen = Trained.of(smoke_config, splits.test)
    now = Trained.of(smoke_config, splits.train, seen.by_data_set())
    write_json(tmp_path / "identities.json", written(now, splits.train.texts))
    stored = read_trained(tmp_path / "identities.json")
    assert stored == now
    with pytest.raises(UserError, match="6 of the 6 identities were trained on"):
        refuse_trained(stored, smoke_config, splits.test)
    refuse_trained(Trained.of(smoke_config, splits.train), smoke_config, splits.test)
    other = Trained("regdb", [1], {"llcm": [2]})
    refuse_trained(other, smoke_config, splits.test)
    assert other.by_data_set() == {"llcm": [2], "regdb": [1]}
