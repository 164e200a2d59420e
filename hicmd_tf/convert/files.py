"""Files of a released checkpoint, read and written. Needs PyTorch, and never unpickles anything but tensors."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.convert.keys import CLASSIFIER, PARTS, Array, Place, shape_there, to_release, unused, used
from hicmd_tf.errors import UserError, some
from hicmd_tf.files import replacing
from hicmd_tf.method.networks.build import Networks
from hicmd_tf.method.networks.pretrained import to_ours

NAMED = 8  # so many tensors does an error name
SOURCE = "take the three files as the authors' code wrote them"


@dataclass(frozen=True)
class Released:
    """A released checkpoint.

    iteration: N of the file names. files: by name, gen, dis and id. tensors: all of them, floating ones in float32.
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


def read_checkpoint(folder: Path, iteration: int | None = None) -> Released:
    """The three files of an iteration, None for the newest. Raises UserError for what is missing or damaged."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give the one that holds gen_*.pt, dis_*.pt and id_*.pt")
    found: dict[int, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        if match := re.fullmatch(r"(gen|dis|id)_(\d+)\.pt", path.name):
            found.setdefault(int(match[2]), {})[match[1]] = path
    if not found:
        raise UserError(f"{folder} holds no gen_*.pt, dis_*.pt and id_*.pt: give the folder with the checkpoint files")
    chosen = max(found) if iteration is None else iteration
    files = found.get(chosen, {})
    if lacking := [f"{file}_{chosen:07d}.pt" for file in PARTS if file not in files]:
        whole = [number for number in found if len(found[number]) == len(PARTS)]
        other = f", or take --iteration {max(whole)}" if whole else ""
        names = ", ".join(lacking)
        raise UserError(f"{folder} has no {names}: a checkpoint is gen_N.pt, dis_N.pt and id_N.pt of one N{other}")
    return Released(chosen, files, {place: array for file in PARTS for place, array in _read(file, files[file])})


def _read(file: str, path: Path) -> Iterable[tuple[Place, Array]]:
    torch = import_torch()
    try:
        parts = {
            part: {str(key): _array(tensor) for key, tensor in tensors.items()}
            for part, tensors in torch.load(path, map_location="cpu", weights_only=True).items()
        }
    except Exception as error:  # torch raises many kinds
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path} is damaged, or holds more than tensors ({reason}); {SOURCE}") from error
    if sorted(parts) != sorted(PARTS[file]):
        raise UserError(f"{path}: expected the parts {', '.join(PARTS[file])}, found {', '.join(parts)}; {SOURCE}")
    for part, arrays in parts.items():
        for key, array in arrays.items():
            yield Place(file, part, key), array


def _array(tensor: Any) -> Array:
    tensor = tensor.detach()
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())


def import_torch() -> Any:
    """PyTorch. Raises UserError where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise UserError("converting needs PyTorch: pip install 'hicmd-tf[torch]', the CPU build is enough") from error
    return torch


def fill(networks: Networks, released: Released) -> int:
    """Writes the tensors into the networks. Returns how many unused ones were dropped.

    Raises UserError, and writes nothing, when tensors are missing, not expected, misshapen or not finite, or when the
    two stored decoders differ.
    """
    table, optional, tensors = used(networks), unused(networks), released.tensors
    shapes = {place: shape_there(variable) for place, variable in table.items()}
    there = [place for place in table if place in tensors]
    copies = [(place, place._replace(part="b")) for place in there if place.part == "a" and place.key[:4] == "dec."]
    wrong = {
        "missing": [str(place) for place in table if place not in tensors],
        "not expected": [str(place) for place in tensors if place not in table and place not in optional],
        "of another shape": [
            f"{place} {tensors[place].shape}, expected {shapes[place]}"
            for place in there
            if tensors[place].shape != shapes[place]
        ],
        "not finite": [str(place) for place in there if not np.isfinite(tensors[place]).all()],
        "different in a and b, which share one decoder": [
            one.key for one, copy in copies if copy in tensors and not np.array_equal(tensors[one], tensors[copy])
        ],
    }
    if found := [f"{kind}: {some(names, NAMED)}" for kind, names in wrong.items() if names]:
        raise UserError(f"{released.files['gen'].parent}, iteration {released.iteration}: {'; '.join(found)}; {SOURCE}")
    for place, variable in table.items():
        variable.assign(to_ours(tensors[place]))
    return len(tensors) - len(table)


def write_checkpoint(networks: Networks, iteration: int, folder: Path) -> list[Path]:
    """Writes gen_N.pt, dis_N.pt and id_N.pt so that PyTorch's strict loading accepts them; returns their paths.

    Tensors that the release never uses get batch norms without effect, and zeros. Raises UserError when a file is there
    already, or when the ResNets have their stride where the release has none.
    """
    torch = import_torch()
    if networks.generator.visible.attribute.stride_first:
        raise UserError(
            "this run's ResNets have the stride on the first 1 x 1 convolution, as Keras' weights want it, and the "
            "release's on the 3 x 3: only runs that began with networks.resnet_weights none or a .pth can be converted"
        )
    paths = {file: folder / f"{file}_{iteration:07d}.pt" for file in PARTS}
    for path in paths.values():
        if path.exists():
            raise UserError(f"{path} is there already: name another folder")
    tensors = {place: to_release(np.asarray(variable, np.float32)) for place, variable in used(networks).items()}
    tensors |= {place: _untrained(place.key, shape) for place, shape in unused(networks).items()}
    for file, path in paths.items():
        parts: dict[str, dict[str, Any]] = {part: {} for part in PARTS[file]}
        for place, array in tensors.items():
            if place.file == file:  # a copy: views would keep their layout
                parts[place.part][place.key] = torch.from_numpy(np.array(array, order="C"))
        with replacing(path) as stream:
            torch.save(parts, stream)
    return list(paths.values())


def _untrained(key: str, shape: tuple[int, ...]) -> Array:
    """A tensor that is never used: ones for a batch norm's scale and variance, zeros for all others."""
    if not shape:
        return np.array(0)
    ones = len(shape) == 1 and key.endswith(("weight", "running_var"))
    return np.full(shape, float(ones), np.float32)
