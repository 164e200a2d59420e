"""What is trained, as `method` of a configuration names it: Hi-CMD, or an embedding network."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hicmd_tf.config.kinds import EMBEDDING, HICMD, MethodName
from hicmd_tf.config.schema import Config
from hicmd_tf.embedding import learning
from hicmd_tf.embedding.networks import EmbeddingNetworks, build_embedding
from hicmd_tf.method import schedule
from hicmd_tf.method.generation import Terms
from hicmd_tf.method.networks.build import Networks, build_networks

AnyNetworks = Networks | EmbeddingNetworks


class ChosenMethod(NamedTuple):
    """A method, as engines and training see it.

    build: networks of a configuration for so many training identities; restored: whether their weights come from a
    checkpoint. iteration: of a `MethodOf` these networks and a batch; logged: names of what it returns.
    """

    build: Callable[[Config, int, bool], Any]
    iteration: Callable[[Any, dict[str, Any]], Terms]
    logged: tuple[str, ...]


def _build_hicmd(config: Config, classes: int, restored: bool) -> Networks:
    return build_networks(config.networks, classes, restored)


METHODS: dict[MethodName, ChosenMethod] = {
    HICMD: ChosenMethod(_build_hicmd, schedule.iteration, schedule.LOGGED),
    EMBEDDING: ChosenMethod(build_embedding, learning.iteration, learning.LOGGED),
}


def chosen(config: Config) -> ChosenMethod:
    """The method of a configuration."""
    return METHODS[config.method]
