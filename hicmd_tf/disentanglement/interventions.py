"""The sixth measure: how far each code moves when one thing in a picture is changed and all else stays.

It needs no probe and no observer, and tells causes: what moves a code is in it. Only drawn people can be drawn again.
"""

from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from hicmd_tf.config.schema import DataConfig
from hicmd_tf.data.samples import Samples
from hicmd_tf.disentanglement.factors import CAMERA, GAIT, LIGHT, MODALITY, YAW
from hicmd_tf.disentanglement.measurement import Measurement, Networks
from hicmd_tf.disentanglement.swaps import Pairs
from hicmd_tf.drawn_people.camera import CAMERAS
from hicmd_tf.drawn_people.change import Change, draw_changed
from hicmd_tf.drawn_people.encode import request_of
from hicmd_tf.notation import INFRARED, MODALITIES, Modality, other
from hicmd_tf.runs.model import Model

Array = np.ndarray[Any, Any]

GARMENTS, MOVEMENT = "garments", "movement"
SMALLEST = 1e-12  # spread that is divided by
AT_MOST = 200  # pictures of which each is drawn again with each change


class Again(NamedTuple):
    """Pictures of one modality, rows (P,) of the samples, drawn again (P, H, W, 3) uint8 with one factor changed.

    modality: before the change.
    """

    factor: str
    modality: Modality
    rows: Array
    pictures: Array


def changes(samples: Samples, source: int, donor: int) -> dict[str, Change]:
    """Each change of row `source`, by the factor: to the value that row `donor`, another person's of the same modality,
    has; to the modality's other camera; to the other modality."""
    modality, known = samples.modality(source), samples.factors
    (camera,) = {camera.number for camera in CAMERAS[modality]} - {int(samples.cameras[source])}
    return {
        YAW: Change(yaw=float(known["yaw"][donor])),
        GAIT: Change(gait_phase=float(known["gait_phase"][donor])),
        LIGHT: Change(illumination=float(known["illumination"][donor])),
        CAMERA: Change(camera=camera),
        GARMENTS: Change(garments=int(samples.identities[donor])),
        MODALITY: Change(modality=other(modality)),
    }


def draw_again(data: DataConfig, samples: Samples, pairs: Pairs) -> list[Again]:
    """The pictures of up to `AT_MOST` sources of pairs within a modality, with each change.

    Args:
        data: how the samples were drawn.
        samples: drawn people.
        pairs: of which the donors give the values.

    Returns:
        By modality and factor.
    """
    size, found = (data.height, data.width), []
    sources, donors = pairs.sources[:AT_MOST], pairs.donors[:AT_MOST]
    with tqdm(total=len(sources), desc="drawing changed pictures", unit="picture", leave=False) as bar:
        for modality in MODALITIES:
            rows: list[int] = []
            drawn: dict[str, list[Array]] = {}
            for at in np.flatnonzero(samples.infrared[sources] == (modality == INFRARED)):
                row = int(sources[at])
                rows.append(row)
                for factor, change in changes(samples, row, int(donors[at])).items():
                    picture = draw_changed(data.synthetic, size, *request_of(samples.names[row]), change)
                    drawn.setdefault(factor, []).append(picture.pixels)
                bar.update()
            found += [Again(factor, modality, np.array(rows), np.stack(of)) for factor, of in drawn.items()]
    return found


def movements(
    model: Model, codes: dict[str, Array], every: list[Again], samples: Samples, networks: Networks
) -> list[Measurement]:
    """Mean and deviation over pictures of |code after - code before| / spread of the code, of each code and change.

    1 is as far as from one person's picture to another's: the spread is that of the samples' pictures of the modality
    before the change. A picture goes through the encoders of its modality, so after a change of modality through the
    other's.

    Args:
        model: that has the codes.
        codes: (N, D) of the samples, by name.
        every: the samples' pictures drawn again.
        samples: whose names, identities and modalities the codes have.
        networks: whose codes.
    """
    found = []
    for factor, modality, rows, pictures in every:
        same = samples.infrared == (modality == INFRARED)
        seen_in = other(modality) if factor == MODALITY else modality
        for name, after in model.dissect(pictures, seen_in).items():
            unit = max(spread(codes[name][same], samples.identities[same]), SMALLEST)
            moved = np.linalg.norm(after - codes[name][rows], axis=1) / unit
            of = float(moved.mean()), float(moved.std()), None, len(rows)
            found.append(Measurement("intervention", name, modality, factor, MOVEMENT, networks, *of))
    return found


def spread(code: Array, identities: Array) -> float:
    """The root mean square of |a - b| over all pairs of rows a, b of (N, D) that are of different people.

    Of all pairs the squares add up to 2 N sum |a|^2 - 2 |sum a|^2; those within people, likewise, are taken away.
    """
    of = code.astype(np.float64) - code.mean(axis=0, dtype=np.float64)
    groups = [of, *(of[identities == person] for person in np.unique(identities))]
    squares, pairs = np.array(
        [(2 * len(x) * np.sum(x * x) - 2 * np.sum(np.sum(x, axis=0) ** 2), len(x) ** 2) for x in groups]
    ).T
    return float(np.sqrt(max(squares[0] - squares[1:].sum(), 0.0) / max(pairs[0] - pairs[1:].sum(), 1)))
