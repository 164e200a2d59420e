"""A configuration made real: the data, and the model that is trained on it."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import keras

from hicmd_tf.chosen_method import chosen
from hicmd_tf.config import Config
from hicmd_tf.data.batches import Planner
from hicmd_tf.data.datasets import evaluated, load, published
from hicmd_tf.data.planners import planner_of
from hicmd_tf.data.samples import DataSplits
from hicmd_tf.data.searches import refuse_hidden
from hicmd_tf.engines.chosen import BACKEND, Learner, devices, set_up
from hicmd_tf.errors import UserError, waiting
from hicmd_tf.method.descriptor import Describing
from hicmd_tf.method.networks.pretrained import read_resnet
from hicmd_tf.method.precision import FULL_PRECISION, computing_in
from hicmd_tf.retrieval.baselines import Figures
from hicmd_tf.training.optimisers import make_optimisers

_COPIES: WeakKeyDictionary[Learner, Describing] = WeakKeyDictionary()


class Experiment(NamedTuple):
    """data: pictures by split. planner: what each iteration sees. model: built and compiled, with initial weights.
    unlearned: figures of what needs no learning, where an earlier run on the same pictures has them."""

    data: DataSplits
    planner: Planner
    model: Learner
    unlearned: dict[str, Figures] | None = None


def prepare(config: Config) -> Experiment:
    """Sets threads and seeds, loads the data and builds the model, to be trained on the devices that the configuration
    names, otherwise on one. Raises UserError as its parts do."""
    if config.training.engine != BACKEND:
        raise UserError(
            f"training.engine is {config.training.engine} and Keras computes with {BACKEND}: set KERAS_BACKEND so "
            f"before Python begins, or training.engine to {BACKEND}"
        )
    set_up(config)
    if not config.training.initialise:
        read_resnet(config.networks.resnet_weights)  # what can't be had is reported now, not after data sets are drawn
    # Several workers can only find each other before TensorFlow's first operation.
    scope = devices(config)
    data = load(config.data)
    # Pictures that can't be used, and people who can't be looked up, are named now, not after hours of training.
    samples = evaluated(config, data)
    for search in published(config.data, samples):
        refuse_hidden(samples, search)
    planner = planner_of(config, data.train)
    waiting("building the networks")
    with scope:
        return Experiment(data, planner, build_model(config, len(planner.classes)))


def build_model(config: Config, classes: int, restored: bool = False) -> Learner:
    """The configured method for so many training identities, compiled, with the initial weights of the seed.

    restored: as for `ChosenMethod.build`, which raises UserError. Weights of training.initialise are not taken here.
    """
    keras.utils.set_random_seed(config.seed)
    with computing_in(config.training.precision):
        networks = chosen(config).build(config, classes, restored or bool(config.training.initialise))
    for part in config.training.frozen:
        for network in networks.by_part()[part]:
            network.trainable = False
    model = Learner(networks, config)
    model.compile(make_optimisers(config))
    return model


def frozen_at_random(config: Config) -> str:
    """A warning of frozen networks of a new run whose weights are random and stay so; empty where there are none."""
    frozen = config.training.frozen
    if config.training.initialise:
        if "head" not in frozen:
            return ""
        return "training.frozen names head, whose classifier begins at random and stays so: leave head out"
    filled = {"combination"}  # a number that a setting has
    if config.networks.resnet_weights != "none":
        filled |= {"attribute_encoders", "embedding", "fronts", "trunk"}
    random = [part for part in frozen if part not in filled]
    if not random:
        return ""
    return (
        f"training.frozen names {', '.join(random)}, whose weights begin at random and stay so: begin with trained "
        f"ones, by --initialise RUN, or leave them out"
    )


def descriptor_in_full_precision(model: Learner) -> Describing:
    """The model's descriptor, or if it computes in mixed precision a copy that does not: a run's figures then are those
    of what is loaded, exported and evaluated later. A model has one copy, so that its graphs last."""
    config = model.settings
    if config.training.precision == FULL_PRECISION:
        return model.descriptor
    if model not in _COPIES:
        _COPIES[model] = chosen(config).build(config, model.networks.classes, True).descriptor()
    _COPIES[model].set_weights(model.descriptor.get_weights())
    return _COPIES[model]
