"""What an artefact says of itself is believed only when it is whole."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hicmd_tf.config import Config, to_dict, with_data, with_values
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError
from hicmd_tf.export.branch import Source
from hicmd_tf.export.metadata import FORMAT, metadata, read_metadata, trained_on
from hicmd_tf.files import write_json
from hicmd_tf.retrieval.threshold import Threshold, threshold_in
from hicmd_tf.runs.trained import Trained


def whole(config: Config) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "steps": 6,
        "weights_sha256": "0" * 64,
        "descriptor": {"length": config.networks.feature_learning.embedding},
        "trained_on": Trained("regdb", [1])._asdict(),
        "configuration": to_dict(config),
    }


@pytest.mark.parametrize("name", DATA_SETS)
def test_metadata_of_every_data_set_name_no_place_and_are_read(name: str, smoke_config: Config, tmp_path: Path) -> None:
    config = with_data(smoke_config, name, None if name == "synthetic_vi" else "somewhere", None)
    branch = SimpleNamespace(digest="0" * 64, length=config.networks.feature_learning.embedding)
    source = Source(config, cast("Any", branch), 6, Trained(name, [1]))
    write_json(tmp_path / "metadata.json", metadata(source, "CC0"))
    assert "somewhere" not in (tmp_path / "metadata.json").read_text()
    found, read = read_metadata(tmp_path / "metadata.json")
    assert read == with_values(config, {"data.source": "", "data.directory": "data"})
    assert trained_on(found) == Trained(name, [1])


@pytest.mark.parametrize("threshold", [None, Threshold(0.4, 0.1, 1e-3, [0.0] * 3, [1.0] * 3, 9, 9, 9, "train")])
def test_they_carry_the_run_s_threshold_where_it_has_one(
    threshold: Threshold | None, smoke_config: Config, tmp_path: Path
) -> None:
    branch = SimpleNamespace(digest="0" * 64, length=smoke_config.networks.feature_learning.embedding)
    file = tmp_path / "metadata.json"
    write_json(file, metadata(Source(smoke_config, cast("Any", branch), 6, None, threshold), "CC0"))
    found, _ = read_metadata(file)
    assert threshold_in(found, file) == threshold
    assert threshold is None or found["threshold"]["words"] == threshold.words.splitlines()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", FORMAT + 1, "not the metadata"),
        ("steps", "six", "not the metadata"),
        ("descriptor", {"length": 10**12}, "descriptors have length"),
        ("trained_on", [1], "doesn't say on whom"),
        ("configuration", {"seed": "seven"}, "seed"),
    ],
)
def test_metadata_of_anything_else_name_their_file(
    key: str, value: Any, said: str, smoke_config: Config, tmp_path: Path
) -> None:
    tree = whole(smoke_config)
    tree[key] = {**tree[key], **value} if isinstance(value, dict) else value
    write_json(tmp_path / "metadata.json", tree)
    with pytest.raises(UserError, match=rf"metadata\.json.*{said}"):
        read_metadata(tmp_path / "metadata.json")
