"""Settings that don't go together. Every problem names a setting and its value, what is expected, and what to do."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from hicmd_tf.config.kinds import data_sets
from hicmd_tf.config.schema import Config, DataConfig, NetworkConfig
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.errors import UserError

SHRINKING = 4  # a prototype, and a discriminator's score map, is so many times smaller than the picture
RESNET_50 = {
    "networks.prototype_encoder.aspp_width": 64,  # four branches make the 256 channels that stage 2 takes
    "networks.attribute_encoder.stem_width": 64,
    "networks.attribute_encoder.widths": [64, 128, 256, 512],
    "networks.attribute_encoder.depths": [3, 4, 6, 3],
    "networks.feature_learning.widths": [128, 256],
    "networks.feature_learning.depths": [4, 6],
}


class Problem(NamedTuple):
    """One setting that can't be so."""

    key: str
    value: Any
    advice: str
    """What is expected, and what to do."""

    def __str__(self) -> str:
        return f"{self.key} is {self.value}: {self.advice}"


def problems(config: Config) -> Iterator[Problem]:
    """Every combination that can't be; single values are checked by their kinds before."""
    for check in CHECKS:
        yield from check(config)


def value_of(config: Config, key: str) -> Any:
    """A setting by its dotted name."""
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def refuse_sourceless(data: DataConfig) -> None:
    """Raises UserError when pictures are to be loaded from a folder and none is named. A configuration alone may lack
    it: that of an exported model names no place."""
    if not data_sets()[data.name].drawn and not data.source.strip():
        raise UserError(
            f"data.source is {data.source!r}: {data.name} is read from a folder; name it with "
            "--data.source where a configuration is given, otherwise with --source"
        )


def refuse_unread(config: Config, given: Iterable[str]) -> None:
    """Raises UserError for the first of the settings that were given for this data set and that it does not read. In
    files they may stand: one file is for several data sets."""
    for key in given:
        reader = SETTINGS[key].note.of
        if reader not in ("", config.data.name):
            raise UserError(
                f"{key} is for {reader}, which data.name is not: it is {config.data.name}; leave {key} out, or name "
                f"that data set"
            )


def _source(config: Config) -> Iterator[Problem]:
    """Drawn people come from no folder."""
    data = config.data
    if data_sets()[data.name].drawn and data.source.strip():
        advice = f"data.name is {data.name}, whose people are drawn; name the data set in that folder by data.name"
        yield Problem("data.source", data.source, f"{advice}, folder for your own pictures")


def _pattern(config: Config) -> Iterator[Problem]:
    """Only people's own pictures lie as they will."""
    data = config.data
    if data.pattern and not data_sets()[data.name].patterned:
        yield Problem(
            "data.pattern", data.pattern, f"{data.name} has a layout of its own; leave it out, or name folder"
        )


def _trial(config: Config) -> Iterator[Problem]:
    data, trials = config.data, data_sets()[config.data.name].trials
    if data.trial > trials:
        several = f"{data.name} has {trials} splits; choose one of them"
        yield Problem("data.trial", data.trial, several if trials > 1 else f"{data.name} has one split; leave it at 1")


def _identities(config: Config) -> Iterator[Problem]:
    """Drawn people who are neither for the test nor held out train, and all identities of a batch differ."""
    if not data_sets()[config.data.name].drawn:
        return
    everyone, tested = config.data.synthetic.identities, config.data.test_identities
    training = everyone - tested - config.data.held_out
    needed = config.batch.pairs + 2 * config.batch.negatives
    if tested >= everyone:
        advice = f"data.synthetic.identities is {everyone} and some must train; test on fewer"
        yield Problem("data.test_identities", tested, advice)
    elif training < 1:
        advice = f"none of {everyone - tested} training identities is left; hold out fewer"
        yield Problem("data.held_out", config.data.held_out, advice)
    elif needed > training:
        advice = (
            f"with batch.negatives {config.batch.negatives} a batch needs {needed} different training identities "
            f"(pairs + twice the negatives), there are {training}; lower either, or raise data.synthetic.identities"
        )
        yield Problem("batch.pairs", config.batch.pairs, advice)


def _norm_groups(config: Config) -> Iterator[Problem]:
    """Batch norm's groups are equal, and none straddles two devices."""
    batch, devices = config.batch, config.training.devices
    for name in ("pairs", "negatives"):
        count = getattr(batch, name)
        if count % batch.norm_groups:
            advice = f"batch.{name} is {count} and must divide into so many equal groups; change either"
            yield Problem("batch.norm_groups", batch.norm_groups, advice)
            return
    if devices and batch.norm_groups % devices:
        advice = f"training.devices is {devices} and groups can't straddle devices; take a multiple of it"
        yield Problem("batch.norm_groups", batch.norm_groups, advice)


def _dilations(config: Config) -> Iterator[Problem]:
    """Reflection padding must be smaller than the map it pads."""
    dilations = config.networks.prototype_encoder.dilations
    height, width = config.data.height // SHRINKING, config.data.width // SHRINKING
    if max(dilations) >= min(height, width):
        advice = (
            f"a prototype of {height} x {width} pixels takes dilations up to {min(height, width) - 1}; lower them or "
            f"enlarge data.height and data.width"
        )
        yield Problem("networks.prototype_encoder.dilations", dilations, advice)


def _discriminator_maps(config: Config) -> Iterator[Problem]:
    """Every scale halves the picture, rounding up; its residual blocks pad a map of a quarter of that by one pixel."""
    scales = config.networks.discriminator.scales
    factor = SHRINKING * 2 ** (scales - 1)
    height, width = (
        math.ceil(config.data.height / factor),
        math.ceil(config.data.width / factor),
    )
    if min(height, width) < 2:
        advice = (
            f"the smallest scale's map would have {height} x {width} pixels, expected 2 x 2 or more; use fewer scales "
            f"or enlarge data.height and data.width"
        )
        yield Problem("networks.discriminator.scales", scales, advice)


def _attribute_code(config: Config) -> Iterator[Problem]:
    """The code divides into a chunk for each decoder block, a chunk into whole numbers of style, pose, illumination."""
    networks = config.networks
    length, blocks = (
        4 * networks.attribute_encoder.widths[-1],
        networks.decoder.residual_blocks,
    )
    if length % blocks:
        advice = (
            f"the attribute code of {length} entries (4 times the last of networks.attribute_encoder.widths) does not "
            f"divide into so many chunks; change either"
        )
        yield Problem("networks.decoder.residual_blocks", blocks, advice)
        return
    yield from _shares(networks, length // blocks)


def _shares(networks: NetworkConfig, chunk: int) -> Iterator[Problem]:
    whole = chunk
    for part in ("style", "pose"):
        ratio = getattr(networks.attributes, f"{part}_ratio")
        size = whole * ratio
        if abs(size - round(size)) > 1e-6 or round(size) < 1:
            advice = (
                f"{part} would be {size:g} of {whole} entries in each of {networks.decoder.residual_blocks} chunks, "
                f"expected a whole number from 1 to {whole - 1}; change the ratio or networks.attribute_encoder.widths"
            )
            yield Problem(f"networks.attributes.{part}_ratio", ratio, advice)
            return
        whole -= round(size)


def _pretrained(config: Config) -> Iterator[Problem]:
    """ImageNet weights fit networks of ResNet-50's sizes only."""
    source = config.networks.resnet_weights
    if source == "none":
        return
    for key, expected in RESNET_50.items():
        if value_of(config, key) != expected:
            advice = f"networks.resnet_weights {source} needs {expected} here; set so, or that to none"
            yield Problem(key, value_of(config, key), advice)


CHECKS: tuple[Callable[[Config], Iterator[Problem]], ...] = (
    _source,
    _pattern,
    _trial,
    _identities,
    _norm_groups,
    _dilations,
    _discriminator_maps,
    _attribute_code,
    _pretrained,
)
