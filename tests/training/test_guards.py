"""What stops a training whose numbers are not finite any more: it is made to happen."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from hicmd_tf.config import Config, load
from hicmd_tf.data.batches import batches
from hicmd_tf.engines.chosen import LastGood, Workers
from hicmd_tf.errors import UserError
from hicmd_tf.provenance.replaying import origin, replay, shown
from hicmd_tf.training.callbacks import EachStep, StopAtNonFinite
from hicmd_tf.training.experiment import Experiment, InitialState, prepare
from hicmd_tf.training.failure import read_failure, write_failure
from hicmd_tf.training.loop import iterate

PLUMBING = Path(__file__).parents[1] / "fixtures" / "plumbing.yaml"


class Trained:
    """A model, and its own configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.experiment: Experiment = prepare(config)
        self.initial = InitialState(self.experiment.model)

    def begin(self, **rates: float) -> None:
        """Back to initial weights, with other rates."""
        self.initial.restore()
        self.experiment.model.adopt(replace(self.config, optimisers=replace(self.config.optimisers, **rates)))

    def run(self, steps: int, *watching: EachStep) -> None:
        """Iterations 0 .. steps - 1."""
        iterate(self.experiment, Workers(self.experiment.model.distribute_strategy), 0, steps, watching)

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """Everything that an iteration changes."""
        return {name: variable.numpy() for name, variable in self.experiment.model.state.items()}


@pytest.fixture(scope="module")
def trained(smoke_directory: Path) -> Trained:
    return Trained(load(PLUMBING, {"data.directory": str(smoke_directory)}))


class States(EachStep):
    """Calls a function after each iteration that counts."""

    def __init__(self, look: Callable[[], Any]) -> None:
        super().__init__(0)
        self.look, self.seen = look, []

    def on_step(self, step: int, logs: dict[str, float]) -> None:
        self.seen.append(self.look())


# ------------------------------------------------------------------------------------------------- no numbers any more


@pytest.fixture(scope="module")
def failed(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, Any]]:
    """The folder of a step that failed, what was said of it, and the state after the step before."""
    folder = tmp_path_factory.mktemp("run") / "failure"
    trained.begin(generator_rate=1e12)

    def report(step: int, losses: dict[str, float], spoilt: list[str]) -> str:
        return f"seen: {write_failure(folder, trained.experiment, step, losses, spoilt)}"

    states = States(trained.state)
    with pytest.raises(UserError) as caught:
        trained.run(9, StopAtNonFinite(0, report), states)
    return folder, str(caught.value), states.seen[-1]


def test_a_step_that_fails_is_named_with_its_losses_weights_and_pictures(
    failed: tuple[Path, str, dict[str, Any]], trained: Trained
) -> None:
    folder, said, _ = failed
    known = read_failure(folder)[1]
    bad = [name for name, value in known.losses.items() if not math.isfinite(value)]
    assert bad and said.startswith(f"step {known.step}: {bad[0]} became ")
    assert known.spoilt and known.spoilt[0] in said and f"spoil {len(known.spoilt)} weights" in said
    plan = trained.experiment.planner.plan(known.step - 1)
    names = [trained.experiment.data.train.names[row] for kind in plan.rows for row in plan.rows[kind]]
    assert [picture["name"] for picture in known.pictures] == names and names[0] in said
    first = known.pictures[0]
    assert (first["as"], first["modality"]) == ("visible", "visible")
    assert first["flipped"] == bool(plan.flips["visible"][0])


def test_a_step_that_fails_changes_nothing(failed: tuple[Path, str, dict[str, Any]], trained: Trained) -> None:
    folder, _, before = failed
    trained.begin(generator_rate=1e12)
    with pytest.raises(UserError):
        trained.run(9, StopAtNonFinite(0))
    after = trained.state()
    assert all(np.isfinite(value).all() for value in after.values())
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    assert json.loads((folder / "failure.json").read_text())["step"] == trained.experiment.model.step + 1


def test_the_step_alone_gives_the_same_again_and_tells_where(failed: tuple[Path, str, dict[str, Any]]) -> None:
    folder, _, _ = failed
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    again = replay(folder)
    for name, value in again.failure.losses.items():
        np.testing.assert_equal(again.losses[name], value, err_msg=name)
    assert not all(map(math.isfinite, again.norms.values())) and again.bad
    assert "hicmd_tf/" in again.origin and ".py:" in again.origin
    assert "the step gives what it gave in the run" in shown(again)
    changed = again._replace(losses={**again.losses, "accuracy": 2.0})
    assert "the step gives other numbers" in shown(changed)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_the_first_operation_without_numbers_is_found_and_a_sound_step_has_none(trained: Trained) -> None:
    assert origin(lambda: tf.sqrt(tf.constant(2.0))) == ""
    assert origin(lambda: tf.exp(tf.math.log(tf.constant(-1.0)))).startswith("Log in ")
    assert origin(lambda: tf.where([True, False], [1.0, 2.0], float("inf"))) == ""  # nothing that went wrong
    trained.begin()
    (batch,) = batches(trained.experiment.planner, trained.experiment.data.train, 0, 1)
    assert origin(lambda: trained.experiment.model.train_step(batch)) == ""


def changed(file: Path, **arrays: Any) -> None:
    """Writes a batch again with other arrays; None takes one away."""
    with np.load(file) as stored:
        kept = {**stored, **arrays}
    np.savez(file, **{name: array for name, array in kept.items() if array is not None})


DAMAGE: list[tuple[str, Callable[[Path], object], str]] = [
    ("failure.json", lambda file: file.write_text('{"step": 1}'), "is damaged"),
    ("batch.npz", lambda file: file.write_bytes(file.read_bytes()[:100]), "can't be read as a batch"),
    ("batch.npz", lambda file: changed(file, visible=np.zeros((2, 32, 16, 1), "float32")), "visible is .*expected"),
    ("batch.npz", lambda file: changed(file, step=None), "step is nothing, expected"),
    ("batch.npz", lambda file: changed(file, more=np.zeros(3)), "more is .*expected nothing"),
    ("config.yaml", lambda file: file.unlink(), "can't be read"),
    ("step-000001.safetensors", lambda file: file.unlink(), "no whole checkpoint"),
]


@pytest.mark.parametrize(("name", "harm", "said"), DAMAGE)
def test_a_damaged_folder_gets_one_line(
    name: str, harm: Callable[[Path], object], said: str, failed: tuple[Path, str, dict[str, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "failure"
    shutil.copytree(failed[0], folder)
    harm(folder / name)
    with pytest.raises(UserError, match=said):
        replay(folder)


def test_a_run_that_did_not_fail_has_nothing_to_replay(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no failure\.json: only a run that stopped"):
        replay(tmp_path)


def test_what_was_kept_outlives_the_steps_behind_it(trained: Trained) -> None:
    trained.begin()
    good = LastGood(trained.experiment.model)
    before = trained.state()
    trained.run(2)
    assert any((trained.state()[name] != value).any() for name, value in before.items())
    good.restore()
    for name, value in trained.state().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_one_weight_without_a_number_is_found(value: float, trained: Trained) -> None:
    trained.begin()
    good = LastGood(trained.experiment.model)
    assert good.spoilt() == []
    variable = trained.experiment.model.generator.decoder.trainable_variables[-1]
    changed = variable.numpy()
    changed.flat[-1] = value
    variable.assign(changed)
    assert good.spoilt() == [variable.path]
