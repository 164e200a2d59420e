"""The weights that a run begins with, of another run: for other people, and other cameras."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hicmd_tf.config import Config, flattened, to_dict
from hicmd_tf.config.kinds import EMBEDDING, HICMD, MethodName, stride_first
from hicmd_tf.errors import UserError, counted, some
from hicmd_tf.files import read_json
from hicmd_tf.runs.checkpoints import Checkpoint
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.trained import Trained, read_trained

if TYPE_CHECKING:  # which imports Keras: mistakes come first
    from hicmd_tf.chosen_method import AnyNetworks

CLASSIFIER = "head/classify/"
"""In the names of weights that say who is who among the people of one training."""
RANDOM = "seed_generator"
"""In the names of random states, which follow the run's own seed."""
SIZELESS = ("resnet_weights", "discriminator_init", "feature_learning.alpha", "feature_learning.dropout")
"""Settings of Hi-CMD's networks that only say how weights begin, or what is done in training."""
SECTIONS: dict[MethodName, str] = {HICMD: "networks", EMBEDDING: "embedding"}
EMBEDDING_FORM = ("stem", "own_stages", "stem_width", "widths", "depths", "neck")
"""Settings of embedding networks that the weights' form depends on."""
FORMLESS: dict[MethodName, tuple[str, ...]] = {
    HICMD: ("feature_learning.descriptor", "feature_learning.normalise_parts"),
    EMBEDDING: ("last_stride", "pooling_power", "mirrored"),
}
"""Settings of networks that change what they compute, but no weight's form: others than the source's are reported."""


class Initial(NamedTuple):
    """Weights of a run. trained: whom it was trained on, where that is known. differing: settings, in words, by which
    its networks computed otherwise."""

    path: Path
    checkpoint: Checkpoint
    trained: Trained | None
    differing: Sequence[str] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the checkpoint's file."""
        return self.checkpoint.digest

    def fill(self, networks: "AnyNetworks") -> dict[str, Any]:
        """Gives networks all weights and running statistics but the classifier's. Returns what was taken, how many
        arrays of each part, and what was left, for the run's own file.

        Raises UserError, and changes nothing, when the checkpoint has other arrays.
        """
        variables = {name: v for name, v in networks.variables().items() if RANDOM not in name}
        taken = {name: v for name, v in variables.items() if CLASSIFIER not in name}
        arrays = self.checkpoint.arrays
        wrong = [name for name, v in taken.items() if name not in arrays or arrays[name].shape != tuple(v.shape)]
        if wrong:
            raise UserError(
                f"{self.checkpoint.path} is of other networks than its run's config.yaml ({some(wrong, 3)}): copy both "
                f"again"
            )
        for name, variable in taken.items():
            variable.assign(arrays[name])
        left = [name for name in variables if name not in taken]
        return {
            "run": str(self.path),
            "steps": self.checkpoint.step,
            "sha256": self.digest,
            "taken": dict(Counter(_part(name) for name in taken)),
            "left": {name: "made anew, for other people" for name in left},
            **({"differing": list(self.differing)} if self.differing else {}),
        }


def read_initial(config: Config) -> Initial | None:
    """The weights that a configuration begins with; None where these are random or of ImageNet.

    Raises UserError when the run has none, or its networks are of another form.
    """
    found = source_of(config)
    if found is None:
        return None
    folder, differing = found
    return Initial(folder.path, folder.checkpoint(optimisers=False), read_trained(folder.identities), differing)


def source_of(config: Config) -> tuple[RunFolder, list[str]] | None:
    """The run whose weights a configuration begins with, and the settings, in words, by which its networks computed
    otherwise. It reads no weights, and imports no framework. None, and errors, as of `read_initial`."""
    if not config.training.initialise.strip():
        return None
    path = Path(config.training.initialise)
    if path.is_dir() and any(path.glob("gen_*.pt")):
        raise UserError(
            f"training.initialise is {path}, which holds released checkpoints: make a run of them first, hicmd convert "
            f"{path} --run DIR, and name that"
        )
    folder = RunFolder(path)
    return folder, _differing(config, folder.open(), path)


def refuse_other_weights(folder: RunFolder, config: Config) -> None:
    """Raises UserError where a run can't begin again as it did: the weights that it took are there no more."""
    if not folder.initial.is_file():
        return
    told, now = read_json(folder.initial), read_initial(config)
    if now is None or now.digest != told["sha256"]:
        raise UserError(
            f"{folder.path} began with weights of {told['run']} after {counted(told['steps'], 'step')}, where the "
            f"newest checkpoint is another now: bring that one back"
        )


def words(told: dict[str, Any]) -> str:
    """What `Initial.fill` returned, in a line."""
    parts = ", ".join(f"{part} ({count})" for part, count in told["taken"].items())
    left = ", ".join(told["left"])
    return f"weights of {told['run']} after {counted(told['steps'], 'step')}: {parts} arrays; begun anew: {left}" + (
        f"; computed otherwise there: {', '.join(told['differing'])}" if "differing" in told else ""
    )


def _differing(config: Config, theirs: Config, path: Path) -> list[str]:
    """The settings, in words, by which networks of one form compute otherwise. Raises UserError for another form."""
    if config.method != theirs.method:
        raise UserError(
            f"method is {config.method}, but {path}, whose weights are to be taken, is of method {theirs.method}: name "
            f"a run of the same method"
        )
    section, formless = SECTIONS[config.method], FORMLESS[config.method]
    here, there = (dict(flattened(to_dict(one)[section])) for one in (config, theirs))
    form = EMBEDDING_FORM if config.method == EMBEDDING else {*here} - {*SIZELESS, *formless}
    for key, value in here.items():
        if key in form and value != there[key]:
            raise UserError(
                f"{section}.{key} is {value}, but {path}, whose weights are to be taken, has {there[key]}: give "
                f"--{section}.{key} {str(there[key]).replace(' ', '')}, or another run"
            )
    if stride_first(config.networks.resnet_weights) != stride_first(theirs.networks.resnet_weights):
        raise UserError(
            f"networks.resnet_weights is {config.networks.resnet_weights}, but {path} began with "
            f"{theirs.networks.resnet_weights}, whose strides stand elsewhere: give --networks.resnet_weights "
            f"{theirs.networks.resnet_weights}"
        )
    return [f"{section}.{key} {there[key]}, here {here[key]}" for key in formless if here[key] != there[key]]


def _part(name: str) -> str:
    """The part of the networks that a variable is of: visible/prototype, decoder, visible_discriminator, head .."""
    network, first, second, *_ = name.split("/")
    if network in ("backbone", "head"):
        return first if network == "backbone" else network
    if network.endswith("_discriminator"):
        return network
    return f"{first} {second}" if first in ("visible", "infrared") else first
