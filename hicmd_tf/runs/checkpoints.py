"""A run's state on disk: one safetensors file per checkpoint, which any engine reads.

checkpoints/step-000300.safetensors holds weights, running statistics, random states and optimisers as name -> array,
such as generator/visible/attribute/stem/convolution/kernel or generator_optimiser/iteration. Its header says after how
many steps, what the callbacks must know to go on, and the SHA-256 of all of it. It is written under another name and
then renamed, so a kill leaves nothing half-written.
"""

import json
import os
import re
import warnings
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hicmd_tf.errors import UserError
from hicmd_tf.files import replacing

Array = np.ndarray[Any, Any]
Variables = Mapping[str, Any]  # Keras' variables by name

FILE = re.compile(r"step-(\d+)\.safetensors")
OLD_FORM = "ckpt-*.index"  # TensorFlow's, of earlier versions
OPTIMISER = "_optimiser/"  # in the names of what only training needs
CLASSIFIER = "features/head/classify/bias"


class Checkpoint(NamedTuple):
    """One file. step: iterations of training. arrays: by name. notes: of the callbacks, as JSON has them."""

    path: Path
    step: int
    arrays: dict[str, Array]
    notes: dict[str, Any]

    @property
    def classes(self) -> int:
        """Identities that it was trained on. Raises UserError for a file of other networks."""
        if CLASSIFIER not in self.arrays:
            raise self.of_other_networks(f"it has no {CLASSIFIER}")
        return len(self.arrays[CLASSIFIER])

    def fill(self, variables: Variables) -> None:
        """Gives the variables their values. Raises UserError, and changes nothing, when names or shapes differ."""
        for name in sorted({*variables, *self.arrays}):
            there = self.arrays[name].shape if name in self.arrays else "absent"
            here = tuple(variables[name].shape) if name in variables else "absent"
            if there != here:
                raise self.of_other_networks(f"{name} is {there}, expected {here}")
        for name, variable in variables.items():
            variable.assign(self.arrays[name])

    def of_other_networks(self, flaw: str) -> UserError:
        """What to say of a checkpoint that does not fit the run's configuration."""
        return UserError(f"{self.path} is of other networks than the run's config.yaml ({flaw}): copy both again")


class Trained(Protocol):
    """What is saved: a model with its optimisers. state: everything that an iteration changes, by name."""

    @property
    def state(self) -> Variables: ...

    @property
    def step(self) -> int: ...


class Checkpoints:
    """The newest `keep` checkpoints of a model in a folder."""

    def __init__(self, model: Trained, folder: Path, keep: int = 2) -> None:
        self.model, self.folder, self.keep = model, folder, keep
        self.notes: dict[str, Any] = {}
        self._at: int | None = None  # the step of the file that holds what the model holds

    def save(self, notes: dict[str, Any] | None = None) -> None:
        """Writes a checkpoint unless this step's is there already. notes: what else is needed to go on, as JSON.

        Raises UserError when the disk refuses.
        """
        if self._at == self.model.step:
            return
        write(self.folder, self.model.step, self.model.state, notes or {})
        self._at = self.model.step
        for step in [step for step in _steps(self.folder) if step <= self._at][self.keep :]:
            _file(self.folder, step).unlink(missing_ok=True)

    def restore(self, found: Checkpoint | None = None) -> bool:
        """Gives the model what a checkpoint holds, by default the newest whole one, if there is one; says whether.

        `notes` are then those of the checkpoint. Raises UserError when all are damaged, or it does not fit the model.
        """
        found = found or newest(self.folder)
        if found is None:
            return False
        here = self.model.state[CLASSIFIER].shape[0]
        if found.classes != here:
            raise UserError(
                f"{found.path} was trained on {found.classes} identities, the configured data has {here}: go on with "
                f"the data it was trained on, or evaluate it with hicmd evaluate, which takes any"
            )
        found.fill(self.model.state)
        self.notes, self._at = found.notes, found.step
        return True


def write(folder: Path, step: int, variables: Variables, notes: dict[str, Any]) -> Path:
    """Writes one checkpoint, in the place of another of that step. Raises UserError when the disk refuses."""
    arrays = {name: np.asarray(variable) for name, variable in variables.items()}
    about = json.dumps({"step": step, "notes": notes})
    checksum = sha256(about.encode())
    for name in sorted(arrays):
        checksum.update(_bytes_of(name, arrays[name]))
        checksum.update(arrays[name].reshape(-1).data)
    path = _file(folder, step)
    try:
        with replacing(path) as file:
            file.write(save(arrays, {"about": about, "sha256": checksum.hexdigest()}))
    except UserError as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
        raise UserError(f"{path}: the checkpoint can't be written ({reason}); free space, then --resume") from error
    return path


def read(path: Path, optimisers: bool = True) -> Checkpoint:
    """Reads a checkpoint, and checks all of it. optimisers: whether to keep what only training needs.

    Raises UserError when it is not what was written.
    """
    if not path.is_file():  # a pipe would be read for ever
        raise UserError(f"{path}: the checkpoint is missing")
    arrays: dict[str, Array] = {}
    try:
        with safe_open(path, "np") as file:
            header = file.metadata() or {}
            checksum = sha256(header["about"].encode())
            for name in sorted(file.keys()):
                array = file.get_tensor(name)
                checksum.update(_bytes_of(name, array))
                checksum.update(array.reshape(-1).data)
                if optimisers or OPTIMISER not in name:
                    arrays[name] = array
        if checksum.hexdigest() != header["sha256"]:
            raise ValueError("its checksum is another")
        about = json.loads(header["about"])
        return Checkpoint(path, about["step"], arrays, about["notes"])
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: the checkpoint is damaged ({' '.join(str(error).split())[:200]})") from error


def newest(folder: Path, optimisers: bool = True) -> Checkpoint | None:
    """The newest checkpoint in a folder that is as it was written; warns of newer ones that are not.

    optimisers: as for `read`. None where there is none. Raises UserError when all are damaged, or of an earlier
    version.
    """
    damaged: list[str] = []
    for step in _steps(folder):
        path = _file(folder, step)
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
    return sorted(
        (int(found[1]) for file in folder.glob("step-*") if (found := FILE.fullmatch(file.name))), reverse=True
    )


def _file(folder: Path, step: int) -> Path:
    return folder / f"step-{step:06d}.safetensors"


def _bytes_of(name: str, array: Array) -> bytes:
    return f"{name} {array.dtype} {array.shape}".encode()
