"""The folder that holds everything a run makes, and nothing else."""

import platform
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from hicmd_tf import __version__
from hicmd_tf.config import Config, dump, flattened, load_stored, to_dict
from hicmd_tf.errors import UserError
from hicmd_tf.files import check_writable, is_leftover, read_json, sweep, write_json, write_text
from hicmd_tf.training.provenance import Origin, packages, read_origins, with_origin

MAY_CHANGE = (
    "training.steps",
    "training.devices",
)  # in a resumed run: no number of the iterations so far hangs on them


class RunFolder:
    """Names and first contents of a run folder.

    config.yaml: the whole configuration. environment.json: versions, machine, command, and the origins of all who
    trained here. losses.csv, evaluations.csv, tensorboard/: logs. pictures/: picture grids. checkpoints/.
    identities.json: who is trained on. warnings.json: what the training was warned of. failure/: a step that failed, to
    be run again. untrained.json: the evaluation before the first step. metrics.json: the last one. conversion.json: of
    a released checkpoint that was converted. reproduction.json: of a repetition. lock: held by the process that trains.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.environment = path / "environment.json"
        self.losses = path / "losses.csv"
        self.evaluations = path / "evaluations.csv"
        self.tensorboard = path / "tensorboard"
        self.pictures = path / "pictures"
        self.checkpoints = path / "checkpoints"
        self.identities = path / "identities.json"
        self.untrained = path / "untrained.json"
        self.warnings = path / "warnings.json"
        self.failure = path / "failure"
        self.metrics = path / "metrics.json"
        self.conversion = path / "conversion.json"
        self.reproduction = path / "reproduction.json"
        self.lock = path / "lock"

    def place_for(self, out: Path | None, file: str) -> Path:
        """The folder that a command's files go to: `out` where it is given, else the run's. Raises UserError, before
        anything is computed for it, when there is no run, or `file` could not be written there."""
        self.open()
        folder = out or self.path
        check_writable(folder / file)
        return folder

    def begin(self, config: Config, resume: bool) -> None:
        """Starts a new folder, or joins an old one when told to, without what a kill left half-written. Raises
        UserError as `check` does."""
        self.check(config, resume)
        for folder in (self.path, self.checkpoints, self.pictures, self.tensorboard / "projector"):
            sweep(folder)
        origins = self.origins(config)
        write_text(self.config, dump(config))
        write_json(self.environment, {**_environment(config), "origins": origins})

    def origins(self, config: Config) -> list[Origin | None]:
        """Who trained here, this process last, as `provenance.with_origin` lists them."""
        earlier: list[Origin | None] = []
        if self.environment.exists():
            earlier = read_origins(self._said_of("origins"))
        return with_origin(earlier, config)

    def first_step(self) -> int:
        """Iterations behind the weights that the run began with: none, but of a converted checkpoint. Raises UserError
        when what the conversion wrote is damaged."""
        if not self.conversion.is_file():
            return 0
        found = read_json(self.conversion)
        if not isinstance(found, dict) or type(found.get("iteration")) is not int:
            raise UserError(f"{self.conversion} names no iteration: convert the checkpoint again")
        return int(found["iteration"])

    def check(self, config: Config, resume: bool) -> None:
        """Whether a run may begin, or go on, here; changes nothing.

        Raises UserError when the folder holds a run and `resume` is not given, or one with another configuration. A
        resumed run may differ in training.steps, which makes it longer, and in its devices only.
        """
        if self.config.exists():
            if not resume:
                raise UserError(
                    f"{self.path} holds a run already: continue it with --resume or name another folder with --run"
                )
            self._check_same(config)
        elif self.path.exists() and (not self.path.is_dir() or any(map(self._is_foreign, self.path.iterdir()))):
            raise UserError(f"{self.path} exists and is not a run folder: name another one with --run")

    def _is_foreign(self, path: Path) -> bool:
        """Whether a file was there before any run: neither the lock nor a leftover of one killed at its beginning."""
        return path != self.lock and not is_leftover(path)

    def open(self) -> Config:
        """The configuration of an existing run, of an earlier version of hicmd_tf too: what was no setting then has
        base's value, and a warning says so. Raises UserError when there is none, or it has settings of a later one."""
        if not self.config.is_file():
            raise UserError(
                f"{self.path} is not a run folder, it has no config.yaml: make one with python -m hicmd_tf.fit"
            )
        return load_stored(self.config, self._said_of("hicmd_tf"))

    def _said_of(self, key: str) -> Any:
        """What environment.json has of a key; None where it is missing or damaged."""
        with suppress(UserError, TypeError, KeyError):
            return read_json(self.environment)[key]
        return None

    def _check_same(self, config: Config) -> None:
        begun = self.open()
        before, now = dict(flattened(to_dict(begun))), dict(flattened(to_dict(config)))
        for key, value in now.items():
            if key not in MAY_CHANGE and before[key] != value:
                raise UserError(
                    f"{key} is {value}, but {self.path} was begun with {before[key]}: resume it with its own "
                    f"configuration or name another folder with --run"
                )
        if config.training.steps < begun.training.steps:
            raise UserError(
                f"training.steps is {config.training.steps}, but {self.path} was begun with "
                f"{begun.training.steps}: a resumed run can only become longer"
            )


def _environment(config: Config) -> dict[str, object]:
    return {
        "hicmd_tf": __version__,
        **packages(),
        "machine": f"{platform.system()} {platform.machine()}",
        "command": shlex.join(sys.argv),
        "seed": config.seed,
    }
