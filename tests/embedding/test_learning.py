"""One iteration: order of rows, losses, what learns, and at which rate."""

import keras
import numpy as np
import pytest
from keras import ops

from hicmd_tf.config import Config, with_values
from hicmd_tf.data.batches import batches
from hicmd_tf.embedding.learning import LOGGED, by_groups
from hicmd_tf.method.augmentation import cut
from hicmd_tf.method.losses.identification import cross_entropy, euclidean_batch_hard
from hicmd_tf.notation import MODALITIES
from hicmd_tf.training.experiment import Experiment, prepare

tf = pytest.importorskip("tensorflow")


def tensors(experiment: Experiment, step: int = 0) -> dict:
    (batch,) = batches(experiment.planner, experiment.data.train, step, step + 1)
    return tf.nest.map_structure(tf.convert_to_tensor, batch)


def state(experiment: Experiment) -> dict[str, np.ndarray]:
    return {name: np.array(v) for name, v in experiment.model.networks.variables().items()}


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_rows_stand_group_by_group_visible_ones_first(groups: int) -> None:
    visible, infrared = np.arange(24).reshape(12, 2), 100 + np.arange(12).reshape(6, 2)
    expected = []
    for group in range(groups):
        for rows in (visible, infrared):
            each = len(rows) // groups
            expected += [rows[group * each + row] for row in range(each)]
    found = by_groups({"visible": visible, "infrared": infrared}, groups)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), expected)


@pytest.mark.parametrize("stem", ["shared", "two", "zero_padded"])
def test_losses_are_those_of_rows_in_one_batch(embedding_config: Config, stem: str) -> None:
    """Against the network called part by part."""
    config = with_values(embedding_config, {"embedding.stem": stem, "losses.cross_entropy": 0.7, "losses.triplet": 1.3})
    experiment = prepare(config)
    networks, batch = experiment.model.networks, tensors(experiment)
    before = state(experiment)
    found = {name: float(value) for name, value in experiment.model.train_step(batch).items()}
    assert sorted(found) == sorted(LOGGED)
    for name, variable in networks.variables().items():
        variable.assign(before[name])
    from hicmd_tf.method.augmentation import changed

    backbone, batch = networks.backbone, cut(batch)
    seen = {m: backbone.seen(changed(batch[m], m, batch), m) for m in ("visible", "infrared")}
    if stem == "two":
        maps = ops.concatenate([backbone.front(m)(seen[m], training=True) for m in seen])
    else:
        maps = backbone.fronts[0](ops.concatenate(list(seen.values())), training=True)
    head = networks.head(backbone.pooled(maps, training=True), training=True)
    labels = np.concatenate([batch["visible_identities"], batch["infrared_identities"]])
    ce, triplet = cross_entropy(head.logits, labels), euclidean_batch_hard(head.pooled, labels, config.losses.margin)
    assert found["cross_entropy"] == pytest.approx(float(ce), rel=1e-4)
    assert found["triplet"] == pytest.approx(float(triplet.loss), rel=1e-4)
    assert found["feature_total"] == pytest.approx(0.7 * float(ce) + 1.3 * float(triplet.loss), rel=1e-4)


def test_everything_learns_but_what_is_frozen(embedding_config: Config) -> None:
    changed = with_values(embedding_config, {"training.frozen": ["fronts"], "embedding.stem": "two"})
    experiment = prepare(changed)
    before = state(experiment)
    for step in range(2):
        experiment.model.train_step(tensors(experiment, step))
    after = state(experiment)
    still = {name for name in before if np.array_equal(before[name], after[name])}
    fronts = {n for n in before if n.startswith(("backbone/visible", "backbone/infrared")) and "moving" not in n}
    assert still == fronts | {"head/norm/beta"}
    assert experiment.model.step == 2


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_the_head_learns_at_its_own_rate(embedding_config: Config, optimiser: str) -> None:
    """A first step from the same gradients: ten times as far, everything else the same."""
    moves = []
    for factor in (1.0, 10.0):
        settings = {"embedding.head_factor": factor, "embedding.optimiser": optimiser, "optimisers.weight_decay": 0.0}
        experiment = prepare(with_values(embedding_config, settings))
        before = state(experiment)
        experiment.model.train_step(tensors(experiment))
        after = state(experiment)
        moves.append({name: after[name] - before[name] for name in before})
    for name, move in moves[0].items():
        if "moving" in name or name == "head/norm/beta":
            continue
        share = 10.0 if name.startswith("head/") else 1.0
        np.testing.assert_allclose(moves[1][name], share * move, rtol=2e-2, atol=2e-6 * share, err_msg=name)


def test_other_rates_and_weights_are_taken_without_tracing_anew(embedding_config: Config) -> None:
    experiment = prepare(embedding_config)
    other = with_values(embedding_config, {"embedding.rate": 0.5, "embedding.head_factor": 2.0, "losses.triplet": 0.25})
    experiment.model.adopt(other)
    (optimiser,) = experiment.model.optimisers
    assert float(optimiser.schedule.rate) == 0.5 and float(optimiser.rate_factors["head"]) == 2.0
    assert experiment.model.numbers.values()["triplet"] == 0.25


@pytest.mark.parametrize("stem", ["two", "zero_padded"])
def test_gradients_are_those_of_finite_differences(embedding_config: Config, stem: str) -> None:
    """In float64, of some weights of every part: a step of plain SGD is the gradient of the logged total."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        rate, step = 1e-3, 1e-6
        plain = {"embedding.optimiser": "sgd", "embedding.rate": rate, "embedding.head_factor": 1.0}
        still = {"optimisers.momentum": 0.0, "optimisers.nesterov": False, "optimisers.weight_decay": 0.0}
        rest = {"embedding.warm_up": 0, "embedding.stem": stem, "losses.triplet": 0.5}
        experiment = prepare(with_values(embedding_config, {**plain, **still, **rest}))
        networks, batch = experiment.model.networks, tensors(experiment)
        batch = {name: tf.cast(x, "float64") if name in MODALITIES else x for name, x in batch.items()}
        first = {name: np.array(v) for name, v in networks.variables().items()}

        def total(name: str, place: tuple[int, ...], move: float) -> float:
            """After a weight moved; everything is put back before."""
            for known, variable in networks.variables().items():
                variable.assign(first[known])
            changed = first[name].copy()
            changed[place] += move
            networks.variables()[name].assign(changed)
            return float(experiment.model.train_step(batch)["feature_total"])

        total("head/classify/kernel", (0, 0), 0.0)
        gradients = {name: (first[name] - np.array(v)) / rate for name, v in networks.variables().items()}
        rng = np.random.default_rng(0)
        trained = [name for name, variable in networks.variables().items() if variable.trainable]
        for name in {part: n for n in trained for part in ["/".join(n.split("/")[:3])]}.values():
            place = tuple(int(rng.integers(size)) for size in first[name].shape)
            numeric = (total(name, place, step) - total(name, place, -step)) / (2 * step)
            assert gradients[name][place] == pytest.approx(numeric, rel=1e-3, abs=1e-6), (name, place)
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
