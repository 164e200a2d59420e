"""The shared input of every part of the method: networks, configuration, numbers and engine."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from hicmd_tf.config.schema import Config
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.method.networks.norms import KindGroups
from hicmd_tf.notation import Modality, Tensor

if TYPE_CHECKING:
    from hicmd_tf.engines.base import Engine

Numbers = Mapping[str, Tensor | float]


AnyNetworks = TypeVar("AnyNetworks")


class MethodOf(NamedTuple, Generic[AnyNetworks]):
    """A method with its networks.

    config: the forms of losses and sampling. numbers: weights of the losses and the margin by their settings' names,
    in the place of the configuration's; numbers or tensors. engine: who differentiates; None in inference.
    """

    networks: AnyNetworks
    config: Config
    numbers: Numbers = MappingProxyType({})
    engine: "Engine | None" = None

    @property
    def in_turns(self) -> Callable[..., list[Any]] | None:
        """`Engine.in_turns`, where networks are to run so for little memory."""
        return self.engine.in_turns if self.engine is not None and self.config.training.memory == "low" else None

    def number(self, name: str) -> Tensor | float:
        """A weight, or the margin, of the losses."""
        return self.numbers[name] if name in self.numbers else getattr(self.config.losses, name)

    def groups(self, sizes: Sequence[int]) -> KindGroups:
        """Batch norm's groups of a batch made of so many pictures of each kind."""
        replicas = 1 if self.engine is None else self.engine.replicas
        return KindGroups(tuple(sizes), self.config.batch.norm_groups // replicas)

    def both(
        self,
        networks: Mapping[Modality, Any],
        call: Callable[..., Any],
        inputs: Mapping[Modality, tuple[Any, ...]],
    ) -> dict[Modality, Any]:
        """`Engine.both`."""
        if self.engine is not None:
            return self.engine.both(networks, call, inputs)
        return {m: call(network, *inputs[m]) for m, network in networks.items()}


Method = MethodOf[Networks]
"""Hi-CMD with its networks."""
