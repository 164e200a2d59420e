"""Metadata of an artefact, with which it can be used and judged without this code."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf import __version__
from hicmd_tf.config import Config, from_dict, to_dict
from hicmd_tf.config.kinds import EMBEDDING
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json
from hicmd_tf.runs.trained import Trained, trained_of

if TYPE_CHECKING:
    from hicmd_tf.export.branch import Source

Metadata = dict[str, Any]

FILE = "metadata.json"
FORMAT = 1
UNSTATED = "not stated; what the training pictures allow holds for the weights too"
PLACES = {  # of this machine, and nobody else's business
    "data": {"source": "", "directory": "data"},
    "training": {"initialise": ""},
}


def metadata(source: "Source", licence: str) -> Metadata:
    """The metadata of a run's artefacts. licence: of the weights, in the words of who trained them."""
    from hicmd_tf.data.pictures import DEVIATION, MEAN

    config, trained = source.config, source.trained and source.trained.as_json()
    configuration = to_dict(config)
    for section, places in PLACES.items():
        configuration[section] |= places
    return {
        "format": FORMAT,
        "made_by": f"hicmd_tf {__version__}",
        "steps": source.step,
        "weights_sha256": source.branch.digest,
        "licence_of_weights": licence or UNSTATED,
        "descriptor": {
            "length": source.branch.length,
            "norm": 1.0,
            "compare": "dot product; the higher, the likelier one person",
        },
        "threshold": source.threshold and {**source.threshold._asdict(), "words": source.threshold.words.splitlines()},
        "preprocessing": {
            "pictures": "uint8 (batch, any height, any width, 3), RGB",
            "height": config.data.height,
            "width": config.data.width,
            "sixteen_bit": config.data.sixteen_bit or "refused",
            "resize": "bicubic, a = -0.5, antialiased, half-pixel centres, rounded to grey levels; inside the artefact",
            "mean": [round(float(value), 6) for value in MEAN],
            "deviation": [round(float(value), 6) for value in DEVIATION],
        },
        "trained_on": trained,
        "split_sha256": trained and hashlib.sha256(json.dumps(trained, sort_keys=True).encode()).hexdigest(),
        "configuration": configuration,
    }


def read_metadata(file: Path) -> tuple[Metadata, Config]:
    """Metadata and the configuration in it. Raises UserError when the file is missing, damaged or of a later format."""
    found = read_json(file)
    match found:
        case {
            "format": int(number),
            "steps": int(),
            "weights_sha256": str(),
            "descriptor": {"length": int()},
            "trained_on": _,
            "configuration": dict(),
        } if number == FORMAT:
            pass
        case _:
            raise UserError(f"{file} is not the metadata of an artefact in format {FORMAT}: export the run again")
    if found["trained_on"] is not None:
        trained_of(found["trained_on"], file)
    config = from_dict(found["configuration"], file)
    told, length = found["descriptor"]["length"], descriptor_length(config)
    if told != length:
        raise UserError(f"{file}: descriptors have length {told}, those of its configuration {length}: export it again")
    return found, config


def descriptor_length(config: Config) -> int:
    """Entries of a descriptor of the configured networks."""
    if config.method == EMBEDDING:
        return 4 * config.embedding.widths[-1]
    return config.networks.feature_learning.embedding


def trained_on(found: Metadata) -> Trained | None:
    """Whom an artefact was trained on, where that is known."""
    return trained_of(found["trained_on"], Path(FILE)) if found["trained_on"] else None
