"""Settings that don't go together: each by name, with what is expected and what to do."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hicmd_tf.config.kinds import DATA_SETS, EMBEDDING, HICMD, PARTS
from hicmd_tf.config.schema import Config, DataConfig
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.errors import UserError

SMALL = 128  # rows of a picture below which ResNet-50's last map has fewer than eight
SHRINKING = 4  # a prototype, and a discriminator's score map, is so many times smaller than the picture
RESNET_50 = {
    HICMD: {
        "networks.prototype_encoder.aspp_width": 64,  # four branches make the 256 channels that stage 2 takes
        "networks.attribute_encoder.stem_width": 64,
        "networks.attribute_encoder.widths": [64, 128, 256, 512],
        "networks.attribute_encoder.depths": [3, 4, 6, 3],
        "networks.feature_learning.widths": [128, 256],
        "networks.feature_learning.depths": [4, 6],
    },
    EMBEDDING: {
        "embedding.stem_width": 64,
        "embedding.widths": [64, 128, 256, 512],
        "embedding.depths": [3, 4, 6, 3],
    },
}
READ_WITH = {
    "losses.triplet_regulariser": ("losses.triplet_form", "cosine"),
    "embedding.own_stages": ("embedding.stem", "two"),
    "embedding.drops": ("embedding.schedule", "steps"),
    "networks.feature_learning.triplet_embedding": ("losses.triplet_form", "cosine"),
    "data.synthetic.albedo_follows_lightness": ("data.synthetic.spectrum", "near_infrared"),
    "training.intra_op_threads": ("training.engine", "tensorflow"),
    "training.inter_op_threads": ("training.engine", "tensorflow"),
}
"""Settings that count only where another one has this value."""

Problems = Iterator[tuple[str, str]]
"""(dotted name of a setting that can't be so, what is expected and what to do)."""


def problems(config: Config) -> Problems:
    """Every combination that can't be; single values are checked by their kinds before."""
    for check in (*CHECKS, *OF_METHOD[config.method]):
        yield from check(config)


def value_of(config: Config, key: str) -> Any:
    """A setting by its dotted name."""
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def refuse_sourceless(
    data: DataConfig, option: str = "--data.source where a configuration is given, otherwise with --source"
) -> None:
    """Raises UserError when pictures are to be loaded from a folder and none is named. A configuration alone may lack
    it: that of an exported model names no place. option: by which the command at hand names it."""
    if not DATA_SETS[data.name].drawn and not data.source.strip():
        raise UserError(
            f"no folder of pictures is named, and data set {data.name} is read from one: name it with {option}"
        )


def is_read(config: Config, key: str) -> bool:
    """Whether a setting counts beside those of `READ_WITH`."""
    other, value = READ_WITH.get(key, ("", None))
    return not other or bool(value_of(config, other) == value)


def refuse_unread(config: Config, given: Iterable[str]) -> None:
    """Raises UserError for the first of the settings that were given and that nothing reads, with this data set or
    beside the other settings. In files they may stand: one file is for several data sets."""
    for key in given:
        reader = SETTINGS[key].note.of
        if reader not in ("", config.data.name):
            raise UserError(
                f"{key} is for {reader}, which data.name is not: it is {config.data.name}; leave {key} out, or name "
                f"that data set"
            )
        method = SETTINGS[key].note.method
        if method not in ("", config.method):
            raise UserError(
                f"{key} is for method {method}, and method is {config.method}: leave it out, or set that so"
            )
        if key == "data.sixteen_bit" and DATA_SETS[config.data.name].drawn:
            raise UserError(f"{key} is for pictures in files, and {config.data.name} is drawn: leave it out")
        if not is_read(config, key):
            other, value = READ_WITH[key]
            raise UserError(f"{key} counts only where {other} is {value}: leave it out, or set that so")


def _data_set(config: Config) -> Problems:
    """Drawn people come from no folder; only people's own pictures lie as they will."""
    data, known = config.data, DATA_SETS[config.data.name]
    if known.drawn and data.source.strip():
        advice = f"data.name is {data.name}, whose people are drawn; name the data set in that folder by data.name"
        yield "data.source", f"{advice}, folder for your own pictures"
    if data.pattern and not known.patterned:
        yield "data.pattern", f"{data.name} has a layout of its own; leave it out, or name folder"
    if data.trial > known.trials:
        several = f"{data.name} has {known.trials} splits; choose one of them"
        yield "data.trial", several if known.trials > 1 else f"{data.name} has one split; leave it at 1"


def _identities(config: Config) -> Problems:
    """Drawn people who are neither for the test nor held out train, and all identities of a batch differ."""
    if not DATA_SETS[config.data.name].drawn:
        return
    everyone, tested = config.data.synthetic.identities, config.data.test_identities
    training = everyone - tested - config.data.held_out
    embedding = config.method == EMBEDDING
    needed = config.embedding.people if embedding else config.batch.pairs + 2 * config.batch.negatives
    if tested >= everyone:
        yield "data.test_identities", f"data.synthetic.identities is {everyone} and some must train; test on fewer"
    elif training < 1:
        yield "data.held_out", f"none of {everyone - tested} training identities is left; hold out fewer"
    elif needed > training and embedding:
        yield (
            "embedding.people",
            f"there are {training} training identities; lower it, or raise data.synthetic.identities",
        )
    elif needed > training:
        yield (
            "batch.pairs",
            f"with batch.negatives {config.batch.negatives} a batch needs {needed} different training identities "
            f"(pairs + twice the negatives), there are {training}; lower either, or raise data.synthetic.identities",
        )


def _norm_groups(config: Config) -> Problems:
    """Batch norm's groups are equal, and none straddles two devices."""
    batch, devices = config.batch, config.training.devices
    kinds = {"batch.pairs": batch.pairs, "batch.negatives": batch.negatives}
    if config.method == EMBEDDING:
        kinds = {"embedding.people x embedding.pictures": config.embedding.people * config.embedding.pictures}
    for name, count in kinds.items():
        if count % batch.norm_groups:
            yield (
                "batch.norm_groups",
                f"{name} is {count} and must divide into so many equal groups; change either",
            )
    if devices and batch.norm_groups % devices:
        yield (
            "batch.norm_groups",
            f"training.devices is {devices} and groups can't straddle devices; take a multiple of it",
        )


def _pad(config: Config) -> Problems:
    """Something of a picture is left when it is cut."""
    height, width = config.data.height, config.data.width
    if config.batch.pad >= min(height, width):
        yield "batch.pad", f"pictures have {height} x {width} pixels; take a narrower border"


def _sizes(config: Config) -> Problems:
    """Reflection padding is smaller than the map it pads: a prototype, and a discriminator's map, a quarter of the
    picture at the first scale and half of that at each further one, rounded up."""
    networks, larger = config.networks, "or enlarge data.height and data.width"
    height, width = config.data.height // SHRINKING, config.data.width // SHRINKING
    if max(networks.prototype_encoder.dilations) >= min(height, width):
        yield (
            "networks.prototype_encoder.dilations",
            f"a prototype of {height} x {width} pixels takes dilations up to {min(height, width) - 1}; lower them "
            f"{larger}",
        )
    factor = 2 ** (networks.discriminator.scales - 1)
    height, width = -(-height // factor), -(-width // factor)
    if min(height, width) < 2:
        yield (
            "networks.discriminator.scales",
            f"the smallest scale's map would have {height} x {width} pixels, expected 2 x 2 or more; use fewer scales "
            f"{larger}",
        )


def _attribute_code(config: Config) -> Problems:
    """The code divides into a chunk for each decoder block, a chunk into whole numbers of style, pose, illumination."""
    networks = config.networks
    length, blocks = 4 * networks.attribute_encoder.widths[-1], networks.decoder.residual_blocks
    if length % blocks:
        yield (
            "networks.decoder.residual_blocks",
            f"the attribute code of {length} entries (4 times the last of networks.attribute_encoder.widths) does not "
            f"divide into so many chunks; change either",
        )
        return
    whole = length // blocks
    for part in ("style", "pose"):
        size = whole * getattr(networks.attributes, f"{part}_ratio")
        if abs(size - round(size)) > 1e-6 or round(size) < 1:
            yield (
                f"networks.attributes.{part}_ratio",
                f"{part} would be {size:g} of {whole} entries in each of {blocks} chunks, expected a whole number from "
                f"1 to {whole - 1}; change the ratio or networks.attribute_encoder.widths",
            )
        whole -= round(size)


def _pretrained(config: Config) -> Problems:
    """ImageNet weights fit networks of ResNet-50's sizes only."""
    source = config.networks.resnet_weights
    for key, expected in RESNET_50[config.method].items() if source != "none" else ():
        if value_of(config, key) != expected:
            yield key, f"networks.resnet_weights {source} needs {expected} here; set so, or that to none"


def _frozen(config: Config) -> Problems:
    """Parts have the names of the method's."""
    known = PARTS[config.method]
    for name in config.training.frozen:
        if name not in known:
            yield "training.frozen", f"method {config.method} has {', '.join(known)}; name some of these"


def _embedding(config: Config) -> Problems:
    """An embedding network computes no generated pictures, nor in turns."""
    if config.training.memory == "low":
        yield "training.memory", f"method {EMBEDDING} has no form for low memory; take normal, or fewer pictures"


def remarks(config: Config) -> Iterator[str]:
    """What of an embedding network can be so and is seldom meant, a line each: a schedule beyond the run's end, and
    ResNet-50 on pictures for networks of fewer channels."""
    sizes, steps = config.embedding, config.training.steps
    if config.method != EMBEDDING:
        return
    if sizes.warm_up >= steps:
        yield f"embedding.warm_up is {sizes.warm_up} of {steps} steps: the rate never reaches embedding.rate; lower it"
    elif sizes.schedule == "steps" and sizes.drops and sizes.drops[0] >= steps:
        yield f"embedding.drops begin at {sizes.drops[0]}, after the last of {steps} steps: the rate never falls"
    full = all(value_of(config, key) == value for key, value in RESNET_50[EMBEDDING].items())
    if full and config.data.height < SMALL:
        yield (
            f"a whole ResNet-50 is trained on pictures of {config.data.height} x {config.data.width}: a configuration "
            f"for Hi-CMD reduces Hi-CMD's networks alone; take own_strong for larger pictures, or the section "
            f"embedding of tiny_strong for a smaller network"
        )


CHECKS: tuple[Callable[[Config], Problems], ...] = (
    _data_set,
    _identities,
    _norm_groups,
    _pad,
    _pretrained,
    _frozen,
)
"""For every method."""

OF_METHOD: dict[str, tuple[Callable[[Config], Problems], ...]] = {
    HICMD: (_sizes, _attribute_code),
    EMBEDDING: (_embedding,),
}
