"""What stops a training whose numbers are not finite any more: it is made to happen."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.config import Config, load, with_values
from hicmd_tf.data.batches import batches
from hicmd_tf.engines.chosen import LastGood
from hicmd_tf.errors import UserError
from hicmd_tf.provenance.replaying import Replayed, origin, replay, shown
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.training.callbacks import Every
from hicmd_tf.training.experiment import Experiment, prepare
from hicmd_tf.training.failure import read_failure, write_failure
from hicmd_tf.training.loop import iterate
from hicmd_tf.training.run import train

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"
State = dict[str, np.ndarray[Any, Any]]


def state(experiment: Experiment) -> State:
    return {name: variable.numpy() for name, variable in experiment.model.state.items()}


def same(one: State, other: State) -> bool:
    return [value.tobytes() for value in one.values()] == [value.tobytes() for value in other.values()]


class Failed:
    """A training whose rate is far too high. folder: of the step that failed. said: of it. initial, good: the state
    that it began with, and the one before that step."""

    def __init__(self, data: Path, folder: Path) -> None:
        config = load(PLUMBING, {"data.directory": str(data)})
        self.folder, self.experiment = folder, prepare(config)
        self.initial, self.begin = state(self.experiment), LastGood(self.experiment.model).restore
        self.experiment.model.adopt(with_values(config, {"optimisers.generator_rate": 1e12}))
        states: list[State] = []
        watching = [Every(0, 1, lambda step: states.append(state(self.experiment)))]
        with pytest.raises(UserError) as caught:
            iterate(
                self.experiment, 0, 9, watching, lambda *step: f"seen: {write_failure(folder, self.experiment, *step)}"
            )
        self.said, self.good = str(caught.value), states[-1]
        self.left = state(self.experiment)
        self.experiment.model.adopt(config)


@pytest.fixture(scope="module")
def failed(smoke_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Failed:
    return Failed(smoke_directory, tmp_path_factory.mktemp("run") / "failure")


def test_a_step_that_fails_changes_nothing_and_what_was_kept_comes_back(failed: Failed) -> None:
    assert same(failed.left, failed.good) and not same(failed.left, failed.initial)
    assert all(np.isfinite(value).all() for value in failed.left.values())
    failed.begin()
    assert same(state(failed.experiment), failed.initial)


def test_a_step_that_fails_is_named_with_its_losses_weights_and_pictures(failed: Failed) -> None:
    known = read_failure(failed.folder)[1]
    bad = [name for name, value in known.losses.items() if not math.isfinite(value)]
    assert bad and failed.said.startswith(f"step {known.step}: {bad[0]} became ")
    assert known.spoilt and known.spoilt[0] in failed.said and f"spoil {len(known.spoilt)} weights" in failed.said
    plan, samples = failed.experiment.planner.plan(known.step - 1), failed.experiment.data.train
    names = [samples.names[row] for kind in plan.rows for row in plan.rows[kind]]
    assert [picture["name"] for picture in known.pictures] == names and names[0] in failed.said
    first = known.pictures[0]
    assert (first["as"], first["modality"], first["flipped"]) == ("visible", "visible", plan.flips["visible"][0])


def test_the_step_alone_gives_the_same_again_and_tells_where(failed: Failed) -> None:
    before = {file.name: file.read_bytes() for file in failed.folder.iterdir()}
    again = replay(failed.folder)
    np.testing.assert_equal(again.losses, again.failure.losses)
    assert "hicmd_tf/" in again.origin and ".py:" in again.origin
    assert "the step gives what it gave in the run" in shown(again)
    changed = again._replace(losses={**again.losses, "accuracy": 2.0})
    assert "the step gives other numbers" in shown(changed)
    assert all(before[file.name] == file.read_bytes() for file in failed.folder.iterdir())


def test_the_first_operation_without_numbers_is_found_and_a_sound_step_has_none(failed: Failed) -> None:
    assert origin(lambda: tf.sqrt(tf.constant(2.0))) == ""
    assert origin(lambda: tf.exp(tf.math.log(tf.constant(-1.0)))).startswith("Log in ")
    assert origin(lambda: tf.where([True, False], [1.0, 2.0], float("inf"))) == ""  # nothing that went wrong
    failed.begin()
    (batch,) = batches(failed.experiment.planner, failed.experiment.data.train, 0, 1)
    assert origin(lambda: failed.experiment.model.train_step(batch)) == ""


DAMAGE: list[tuple[str, Callable[[Path], object], str]] = [
    ("failure.json", lambda file: file.write_text(json.dumps({"step": 1})), "is damaged"),
    ("failure.json", lambda file: file.unlink(), r"no failure\.json: only a run that stopped"),
    ("config.yaml", lambda file: file.unlink(), "can't be read"),
    ("step-000001.safetensors", lambda file: file.write_bytes(file.read_bytes()[:-9]), "is damaged"),
    ("step-000001.safetensors", lambda file: file.unlink(), "has no checkpoint"),
]


@pytest.mark.parametrize(("name", "harm", "said"), DAMAGE)
def test_a_damaged_folder_gets_one_line(
    name: str, harm: Callable[[Path], object], said: str, failed: Failed, tmp_path: Path
) -> None:
    folder = shutil.copytree(failed.folder, tmp_path / "failure")
    harm(folder / name)
    with pytest.raises(UserError, match=said):
        replay(folder)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_one_weight_without_a_number_is_found(value: float, failed: Failed) -> None:
    failed.begin()
    good = LastGood(failed.experiment.model)
    assert good.spoilt() == []
    variable = failed.experiment.model.networks.generator.decoder.trainable_variables[-1]
    changed = variable.numpy()
    changed.flat[-1] = value
    variable.assign(changed)
    assert good.spoilt() == [variable.path]


def test_numbers_of_a_run_by_another_engine_are_no_fault_of_the_machine(failed: Failed) -> None:
    again = Replayed(read_failure(failed.folder)[1], {}, "", "jax")
    other = again._replace(losses={**again.failure.losses, "accuracy": 2.0})
    assert "was trained with jax; TensorFlow" in shown(other) and "fault of the machine" not in shown(other)


@pytest.mark.parametrize(
    ("value", "what"),
    [(0.0, "is all zeros, .*: the network that made it has collapsed"), (np.nan, "is not finite: .*")],
)
def test_descriptors_that_say_nothing_end_a_run_in_a_line(
    value: float, what: str, smoke_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hicmd_tf.training.run.describe", lambda _, samples, __: np.full((len(samples), 3), value))
    with pytest.raises(UserError, match=f"^step 0: query descriptor 0 {what}; look at the initial weights"):
        train(smoke_config, RunFolder(tmp_path / "run"))
