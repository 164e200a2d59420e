"""Released checkpoint files to networks of ours. Needs PyTorch, and never unpickles anything but tensors."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.convert.keys import CLASSIFIER, COUNTER, FILES, Array, Place, shape_there, to_ours, unused, used
from hicmd_tf.errors import UserError, some
from hicmd_tf.method.networks.build import Networks

PARTS = {"gen": ("a", "b"), "dis": ("a", "b"), "id": ("id", "backbone_pro", "combine_weight")}
NAMED = 8  # so many tensors does an error name


@dataclass(frozen=True)
class Released:
    """A released checkpoint.

    iteration: N of the file names. files: by name in `FILES`. tensors: all of them, floating ones in float32.
    """

    iteration: int
    files: dict[str, Path]
    tensors: dict[Place, Array]

    @property
    def classes(self) -> int:
        """Training identities. Raises UserError when the classifier is missing."""
        place = Place("id", "id", CLASSIFIER)
        if place not in self.tensors or self.tensors[place].ndim != 2:
            raise UserError(f"{self.files['id']}: missing {place}, a matrix with one row a training identity; {SOURCE}")
        return len(self.tensors[place])

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file by its name."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files.values()}


SOURCE = "take the three files as the authors' code wrote them"


def import_torch() -> Any:
    """PyTorch. Raises UserError where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise UserError("converting needs PyTorch: pip install 'hicmd-tf[torch]', the CPU build is enough") from error
    return torch


def read_checkpoint(folder: Path, iteration: int | None = None) -> Released:
    """The three files of an iteration, None for the newest. Raises UserError for what is missing or damaged."""
    files = find_files(folder, iteration)
    tensors = {place: array for file, path in files.items() for place, array in _read(file, path)}
    return Released(int(re.findall(r"\d+", files["gen"].name)[-1]), files, tensors)


def find_files(folder: Path, iteration: int | None = None) -> dict[str, Path]:
    """Paths of gen_N.pt, dis_N.pt and id_N.pt. Raises UserError when there are none, or not all of N."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give the one that holds gen_*.pt, dis_*.pt and id_*.pt")
    found = {file: _by_iteration(folder, file) for file in FILES}
    numbers = sorted({number for paths in found.values() for number in paths})
    if not numbers:
        raise UserError(f"{folder} holds no gen_*.pt, dis_*.pt and id_*.pt: give the folder with the checkpoint files")
    chosen = numbers[-1] if iteration is None else iteration
    lacking = [file for file in FILES if chosen not in found[file]]
    if lacking:
        whole = [number for number in numbers if all(number in found[file] for file in FILES)]
        other = f", or take --iteration {whole[-1]}" if whole else ""
        names = ", ".join(f"{file}_{chosen:07d}.pt" for file in lacking)
        raise UserError(f"{folder} has no {names}: a checkpoint is gen_N.pt, dis_N.pt and id_N.pt of one N{other}")
    return {file: found[file][chosen] for file in FILES}


def _by_iteration(folder: Path, file: str) -> dict[int, Path]:
    matches = ((re.fullmatch(rf"{file}_(\d+)\.pt", path.name), path) for path in sorted(folder.iterdir()))
    return {int(match[1]): path for match, path in matches if match}


def _read(file: str, path: Path) -> Iterable[tuple[Place, Array]]:
    parts = _load(path)
    if not isinstance(parts, dict) or sorted(parts) != sorted(PARTS[file]):
        found = ", ".join(map(str, parts)) if isinstance(parts, dict) else type(parts).__name__
        raise UserError(f"{path}: expected the parts {', '.join(PARTS[file])}, found {found}; {SOURCE}")
    for part, tensors in parts.items():
        if not isinstance(tensors, dict):
            raise UserError(f"{path}: part {part} is a {type(tensors).__name__}, expected tensors by name; {SOURCE}")
        for key, tensor in tensors.items():
            yield Place(file, part, str(key)), _array(path, key, tensor)


def _load(path: Path) -> Any:
    torch = import_torch()
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path} is damaged, or holds more than tensors ({reason}); copy it again") from error


def _array(path: Path, key: Any, tensor: Any) -> Array:
    if not hasattr(tensor, "is_floating_point"):
        raise UserError(f"{path}: {key} is a {type(tensor).__name__}, expected a tensor; {SOURCE}")
    tensor = tensor.detach()
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())


def fill(networks: Networks, released: Released) -> dict[str, int]:
    """Writes the tensors into the networks. Returns how many unused ones were dropped, by what they belong to.

    Raises UserError, and writes nothing, when tensors are missing, not expected, misshapen or not finite, or when the
    two stored decoders differ.
    """
    table = used(networks)
    optional = unused(networks)
    _refuse(released, {place: shape_there(variable) for place, variable in table.items()}, set(optional))
    for place, variable in table.items():
        variable.assign(to_ours(released.tensors[place]))
    dropped = [_group(place) for place in released.tensors if place in optional]
    return {group: dropped.count(group) for group in dict.fromkeys(dropped)}


def _refuse(released: Released, shapes: dict[Place, tuple[int, ...]], optional: set[Place]) -> None:
    tensors = released.tensors
    present = [place for place in shapes if place in tensors]
    complaints = {
        "missing": [str(place) for place in shapes if place not in tensors],
        "not expected": [str(place) for place in tensors if place not in shapes and place not in optional],
        "of another shape": [
            f"{place} {tensors[place].shape}, expected {shapes[place]}"
            for place in present
            if tensors[place].shape != shapes[place]
        ],
        "not finite": [str(place) for place in present if not np.isfinite(tensors[place]).all()],
        "different in a and b, which share one decoder": _different_decoders(tensors),
    }
    found = [f"{kind}: {some(names, NAMED)}" for kind, names in complaints.items() if names]
    if found:
        raise UserError(f"{released.files['gen'].parent}, iteration {released.iteration}: {'; '.join(found)}; {SOURCE}")


def _different_decoders(tensors: dict[Place, Array]) -> list[str]:
    twins = [(place, place._replace(part="b")) for place in tensors if place[:2] == ("gen", "a")]
    return [
        one.key
        for one, other in twins
        if one.key.startswith("dec.") and other in tensors and not np.array_equal(tensors[one], tensors[other])
    ]


def _group(place: Place) -> str:
    """What an unused tensor belongs to."""
    if place.key.endswith(COUNTER):
        return COUNTER
    if place.key.startswith("dec."):
        return "dec.*.norm.running_*"
    return f"{place.part} {'.'.join(place.key.split('.')[:2])}" if place.file == "id" else "enc_att.model.fc"
