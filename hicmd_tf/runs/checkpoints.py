"""A run's state on disk: one safetensors file per checkpoint, which any engine reads.

checkpoints/step-000300.safetensors holds weights, running statistics, random states and optimisers as name -> array,
such as generator/visible/attribute/stem/convolution/kernel or generator_optimiser/iteration. Its header says after how
many steps, what the callbacks must know to go on, and the SHA-256 of all of it.
"""

import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hicmd_tf.errors import UserError, counted
from hicmd_tf.files import replacing

Array = np.ndarray[Any, Any]
Variables = Mapping[str, Any]  # Keras' variables, or arrays, by name

FILE = re.compile(r"step-(\d+)\.safetensors")
OLD_FORM = "ckpt-*.index"  # TensorFlow's, of earlier versions
OPTIMISER = "_optimiser/"  # in the names of what only training needs
CLASSIFIERS = ("features/head/classify/kernel", "head/classify/kernel")
"""The classifier's, (D, classes), of Hi-CMD or of an embedding network."""


class Checkpoint(NamedTuple):
    """One file. step: iterations of training. arrays: by name. notes: of the callbacks, as JSON has them."""

    path: Path
    step: int
    arrays: dict[str, Array]
    notes: dict[str, Any]

    @property
    def classes(self) -> int:
        """Identities that it was trained on. Raises UserError for a file of other networks."""
        found = [self.arrays[name] for name in CLASSIFIERS if name in self.arrays]
        if not found:
            raise self._of_other_networks(f"it has no {' or '.join(CLASSIFIERS)}")
        return int(found[0].shape[-1])

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return sha256(self.path.read_bytes()).hexdigest()

    def fill(self, variables: Variables) -> None:
        """Gives the variables their values. Raises UserError, and changes nothing, when names or shapes differ."""
        here = next((variables[name].shape[-1] for name in CLASSIFIERS if name in variables), self.classes)
        if self.classes != here:
            raise UserError(
                f"{self.path} was trained on {counted(self.classes, 'identity')}, the configured data has {here}: go "
                f"on with the data it was trained on, or evaluate it with hicmd evaluate, which takes any"
            )
        for name in sorted({*variables, *self.arrays}):
            there, here = (tuple(of[name].shape) if name in of else "absent" for of in (self.arrays, variables))
            if there != here:
                raise self._of_other_networks(f"{name} is {there}, expected {here}")
        for name, variable in variables.items():
            variable.assign(self.arrays[name])

    def _of_other_networks(self, flaw: str) -> UserError:
        return UserError(f"{self.path} is of other networks than the run's config.yaml ({flaw}): copy both again")


def write(folder: Path, step: int, variables: Variables, notes: dict[str, Any], keep: int = 0) -> Path:
    """Writes one checkpoint, in the place of another of that step. Raises UserError when the disk refuses.

    notes: what else is needed to go on, as JSON. keep: how many stay, this and earlier ones; 0: all.
    """
    arrays = {name: np.asarray(variable) for name, variable in variables.items()}
    about = json.dumps({"step": step, "notes": notes})
    path = _file(folder, step)
    with replacing(path) as file:
        file.write(save(arrays, {"about": about, "sha256": _checksum(about, sorted(arrays.items()))}))
    for earlier in [one for one in _steps(folder) if one <= step][keep:] if keep else []:
        _file(folder, earlier).unlink(missing_ok=True)
    return path


def read(path: Path, optimisers: bool = True) -> Checkpoint:
    """Reads a checkpoint, and checks all of it. optimisers: whether to keep what only training needs.

    Raises UserError when it is not what was written.
    """
    if not path.is_file():  # a pipe would be read for ever
        raise UserError(f"{path}: the checkpoint is missing")
    arrays: dict[str, Array] = {}

    def each(file: Any) -> Iterator[tuple[str, Array]]:
        for name in sorted(file.keys()):
            array = file.get_tensor(name)
            if optimisers or OPTIMISER not in name:
                arrays[name] = array
            yield name, array

    try:
        with safe_open(path, "np") as file:
            header = file.metadata() or {}
            if _checksum(header["about"], each(file)) != header["sha256"]:
                raise ValueError("its checksum is another")
        about = json.loads(header["about"])
        return Checkpoint(path, about["step"], arrays, about["notes"])
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: the checkpoint is damaged ({' '.join(str(error).split())[:200]})") from error


def newest(folder: Path, optimisers: bool = True) -> Checkpoint | None:
    """The newest checkpoint in a folder that is as it was written; warns of newer ones that are not.

    optimisers: as for `read`. None where there is none. Raises UserError when all are damaged, or of
    an earlier version.
    """
    damaged: list[str] = []
    for path in (_file(folder, step) for step in _steps(folder)):
        try:
            found = read(path, optimisers)
        except UserError as error:
            if not os.path.lexists(path):  # a training beside deleted it, and has written a newer one
                return newest(folder, optimisers)
            damaged.append(str(error))
            continue
        for damage in damaged:
            warnings.warn(f"{damage}; an older one is taken", stacklevel=2)
        return found
    if damaged:
        raise UserError(f"{damaged[0]}, and no other is whole: copy the folder again from where it is")
    if any(folder.glob(OLD_FORM)):
        raise UserError(
            f"{folder} holds checkpoints in TensorFlow's form, of an earlier version of hicmd_tf: train again, or use "
            f"the version that environment.json beside it names"
        )
    return None


def _steps(folder: Path) -> list[int]:
    """Those that there are checkpoints of, the newest first."""
    named = (FILE.fullmatch(file.name) for file in folder.glob("step-*"))
    return sorted((int(found[1]) for found in named if found), reverse=True)


def _file(folder: Path, step: int) -> Path:
    return folder / f"step-{step:06d}.safetensors"


def _checksum(about: str, arrays: Iterable[tuple[str, Array]]) -> str:
    """Of names, types, shapes and values."""
    found = sha256(about.encode())
    for name, array in arrays:
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.reshape(-1).data)
    return found.hexdigest()
