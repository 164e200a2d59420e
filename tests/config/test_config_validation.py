"""Impossible values and combinations: each is refused by its own name, its neighbour inside the limits is not."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from hicmd_tf.config import load, with_data, with_values
from hicmd_tf.config.kinds import DATA_SETS as KNOWN
from hicmd_tf.config.validation import RESNET_50, remarks
from hicmd_tf.data.datasets import load as load_data
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError

TINY = load("tiny")


def refused(overrides: Mapping[str, object]) -> str | None:
    """The setting that the message about tiny with other values begins with, or None when all is well."""
    try:
        with_values(TINY, overrides)
    except UserError as error:
        return str(error).split(": ")[1].split(" is ")[0]
    return None


def test_settings_know_the_data_sets_in_their_order() -> None:
    assert list(KNOWN) == list(DATA_SETS)


def test_folder_split_and_pattern_are_a_data_set_s_own() -> None:
    assert refused({"data.name": "regdb"}) is None  # metadata of an exported model name no place
    with pytest.raises(UserError, match="no folder of pictures is named, and data set regdb"):
        load_data(load("tiny", {"data.name": "regdb"}).data)
    somewhere = {"data.source": "somewhere"}
    assert refused(somewhere) == "data.source"
    assert refused({**somewhere, "data.name": "regdb", "data.trial": 10}) is None
    assert refused({**somewhere, "data.name": "llcm", "data.trial": 2}) == "data.trial"
    folder = {**somewhere, "data.name": "folder"}
    assert refused({**folder, "data.pattern": "(?P<identity>[^/]+)/(?P<modality>ir|rgb)_"}) is None
    for wrong in ("(?P<identity>", "[a-z]+", "(?P<person>[a-z]+)"):
        assert refused({**folder, "data.pattern": wrong}) == "data.pattern"
    assert refused({**folder, "data.name": "regdb", "data.pattern": "(?P<identity>x)"}) == "data.pattern"


def test_another_data_set_comes_without_folder_split_and_pattern() -> None:
    config = load("tiny", {"data.name": "regdb", "data.source": "somewhere", "data.trial": 3})
    assert with_data(config, None, None, None) == with_data(config, "regdb", None, None) == config
    other = with_data(config, "llcm", None, None).data
    assert (other.name, other.source, other.trial) == ("llcm", "", 1)
    assert with_data(config, None, "elsewhere", None).data.trial == 3
    given = with_data(TINY, "folder", "elsewhere", None, "(?P<identity>x)")
    assert with_data(given, "regdb", "elsewhere", None).data.pattern == ""
    assert with_data(given, None, "elsewhere", None).data.pattern == "(?P<identity>x)"
    with pytest.raises(UserError, match=r"data\.pattern is .*: llcm has a layout of its own"):
        with_data(given, "llcm", "elsewhere", None, "(?P<identity>y)")


@pytest.mark.parametrize(
    ("key", "impossible", "possible"),
    [
        ("seed", [-1, 2**32], [0, 2**32 - 1]),
        ("data.directory", [" ", ""], ["."]),
        ("data.trial", [0, 11], [1, 10]),
        ("data.held_out", [-1], [0]),
        ("data.height", [0, 66], [64, 68]),
        ("data.check", ["stop, skip"], ["stop", "skip"]),
        ("data.sixteen_bit", ["5-4", "1%", "0-65536"], ["", "0-65535", "1%-99.5%"]),
        ("data.synthetic.identities", [1], [602]),
        ("data.synthetic.yaw_range", [-0.1, 3.2], [0, math.pi]),
        ("batch.pairs", [0], [1]),
        ("batch.pad", [-1, 32, 64], [0, 31]),  # pictures are 32 wide
        ("batch.brightness", [-0.01, 1.01], [0, 1]),
        ("batch.blur", [-0.01, 1.01], [0, 1]),
        ("batch.erasing", [-0.01, 1.01], [0, 1]),
        ("networks.feature_learning.dropout", [1.0], [0.0]),
        ("networks.attributes.style_ratio", [0.0, 1.0], [0.25]),
        ("losses.kl", [-1.0], [0.0]),
        ("optimisers.generator_rate", [0.0], [1e-9]),
        ("optimisers.drop_factor", [0.0, 1.1], [1.0]),
        ("optimisers.nesterov", [2], [True, False]),
        ("networks.prototype_encoder.widths", [[8, 16, 16]], [[8, 16, 16, 8]]),
        ("networks.prototype_encoder.dilations", [[0, 2, 3]], [[3, 2, 1]]),
        ("networks.decoder.widths", [[], [1, 1, 1]], [[1, 1]]),
    ],
)
def test_limits_of_every_kind(key: str, impossible: list[object], possible: list[object]) -> None:
    assert {refused({key: value}) for value in impossible} == {key}
    assert {refused({key: value}) for value in possible} == {None}


def test_a_batch_needs_enough_training_identities() -> None:
    twelve = {"data.synthetic.identities": 24, "data.test_identities": 12, "batch.pairs": 4, "batch.negatives": 4}
    # 12 train, 4 + 2 x 4 are needed
    assert refused(twelve) is None
    assert refused({**twelve, "data.held_out": 1}) == "batch.pairs"
    assert refused({**twelve, "data.held_out": 12}) == "data.held_out"
    assert refused({**twelve, "batch.negatives": 5}) == "batch.pairs"


def test_norm_groups_are_equal_and_straddle_no_devices() -> None:
    halves = {"batch.pairs": 4, "batch.negatives": 2, "batch.norm_groups": 2}
    assert refused(halves) is None
    assert refused({**halves, "batch.negatives": 0}) is None
    assert refused({**halves, "batch.pairs": 3}) == "batch.norm_groups"
    assert refused({**halves, "batch.negatives": 3}) == "batch.norm_groups"
    assert refused({**halves, "training.devices": 2}) is None
    assert refused({**halves, "batch.norm_groups": 1, "training.devices": 2}) == "batch.norm_groups"
    assert refused({**halves, "batch.norm_groups": 1, "training.devices": 0}) is None  # known only where it runs


def test_of_settings_that_do_not_go_together_the_one_is_blamed_that_the_user_gave(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^command line: training\.devices 2 does not go with batch\.norm_groups, which "
    ):
        load("tiny", {"training.devices": "2"})
    (tmp_path / "mine.yaml").write_text("extends: tiny\ntraining:\n  devices: 2\n")
    with pytest.raises(UserError, match=r"mine\.yaml, line 3: training\.devices 2 does not go with .* \(.*base\.yaml"):
        load(tmp_path / "mine.yaml")
    with pytest.raises(UserError, match=r"^command line: batch\.norm_groups is 3: training\.devices is 2 and groups"):
        load(tmp_path / "mine.yaml", {"batch.norm_groups": "3", "batch.pairs": "9", "batch.negatives": "9"})


@pytest.mark.parametrize("side", ["data.height", "data.width"])
def test_dilations_are_smaller_than_the_prototype(side: str) -> None:
    large = {"data.height": 256, "data.width": 256, "networks.prototype_encoder.dilations": [3, 6, 9]}
    assert refused({**large, side: 40}) is None  # a prototype of 10
    assert refused({**large, side: 36}) == "networks.prototype_encoder.dilations"


@pytest.mark.parametrize(("side", "scales"), [(16, 2), (20, 3), (36, 4)])
def test_the_smallest_score_map_can_be_padded(side: int, scales: int) -> None:
    size = {"data.height": 64, "data.width": side, "networks.prototype_encoder.dilations": [1, 1, 1]}
    assert refused({**size, "networks.discriminator.scales": scales}) is None
    assert refused({**size, "networks.discriminator.scales": scales + 1}) == "networks.discriminator.scales"


def test_the_size_rule_is_that_of_the_halvings() -> None:
    """Halved (scales - 1) times, then twice inside a scale, rounding up each time, as the convolutions do."""
    sizes = {"data.height": 200, "networks.prototype_encoder.dilations": [1, 1, 1]}
    for side in (16, 24, 40, 56, 72, 112):
        for scales in range(1, 7):
            smallest = side
            for _ in range(scales - 1 + 2):
                smallest = (smallest + 1) // 2
            key = "networks.discriminator.scales"
            assert refused({**sizes, "data.width": side, key: scales}) == (key if smallest < 2 else None)


def test_the_attribute_code_divides_into_whole_parts() -> None:
    blocks, style, pose = (
        "networks.decoder.residual_blocks",
        "networks.attributes.style_ratio",
        "networks.attributes.pose_ratio",
    )
    assert refused({blocks: 3}) == blocks  # 256 entries
    assert refused({style: 0.51}) == style  # 32.64 of 64
    assert refused({style: 0.75, pose: 0.25}) is None  # 48, 4 and 12
    assert refused({style: 0.75, pose: 0.3}) == pose  # 4.8 of 16
    assert refused({blocks: 128}) == pose  # style 1 and nothing left to divide
    assert refused({blocks: 256}) == style


def test_pretrained_weights_need_the_sizes_of_resnet_50() -> None:
    imagenet = {"networks.resnet_weights": "imagenet"}
    assert refused(imagenet) in RESNET_50["hicmd"]
    assert refused({**imagenet, **RESNET_50["hicmd"]}) is None
    for key, size in RESNET_50["hicmd"].items():
        other = [*size[:-1], size[-1] * 2] if isinstance(size, list) else 32
        assert refused({**imagenet, **RESNET_50["hicmd"], key: other}) == key


def test_messages_name_value_expectation_and_remedy() -> None:
    with pytest.raises(UserError, match=r"^command line: data.height is 30: expected a positive multiple of 4$"):
        load("tiny", {"data.height": 30})
    with pytest.raises(UserError, match=r"dilations is \[3, 6, 9\]: .* 16 x 8 .* up to 7; lower them or enlarge"):
        load("tiny", {"networks.prototype_encoder.dilations": [3, 6, 9]})


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"embedding.warm_up": 40, "training.steps": 40}, "warm_up is 40 of 40 steps: the rate never reaches"),
        ({"embedding.warm_up": 5, "training.steps": 40}, "drops begin at 1000, after the last of 40 steps"),
        ({"embedding.warm_up": 5, "training.steps": 40, "embedding.schedule": "cosine"}, ""),
        ({"embedding.warm_up": 5, "training.steps": 40, "embedding.drops": []}, ""),
        ({}, ""),
    ],
)
def test_a_schedule_beyond_the_end_of_a_run_is_said(overrides: dict[str, object], said: str) -> None:
    told = [*remarks(load("tiny_strong", overrides))]
    assert len(told) == bool(said) and said in "".join(told)
    assert [*remarks(TINY)] == []


@pytest.mark.parametrize("reduced", ["own", "tiny", "small"])
def test_a_whole_resnet_on_pictures_for_reduced_networks_is_said(reduced: str) -> None:
    told = [line for line in remarks(load(reduced, {"method": "embedding"})) if "ResNet-50" in line]
    assert len(told) == 1 and "pictures of 64 x 32" in told[0] and "own_strong" in told[0]
    for whole in ("own_strong", "strong", "regdb", "tiny_strong"):
        assert not [line for line in remarks(load(whole, {"method": "embedding"})) if "ResNet-50" in line]
