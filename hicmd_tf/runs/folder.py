"""The folder that holds everything a run makes, and nothing else."""

import os
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hicmd_tf import __version__
from hicmd_tf.config import Config, dump, flattened, load_stored, to_dict, value_of, with_values
from hicmd_tf.config.settings import CHANGEABLE, NO_FIGURE_DEPENDS_ON
from hicmd_tf.errors import UserError, counted
from hicmd_tf.files import check_writable, is_leftover, read_json, sweep, write_json, write_text
from hicmd_tf.runs.changes import NOTHING, Change, history, read_history
from hicmd_tf.runs.checkpoints import Checkpoint, newest
from hicmd_tf.runs.origin import Origin, packages, with_origin

if TYPE_CHECKING:
    from hicmd_tf.retrieval.threshold import Threshold


class RunFolder:
    """Names and first contents of a run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"  # the whole configuration
        self.changed = path / "changes.json"  # settings that changed while it trained; they hold in place of config's
        self.environment = path / "environment.json"  # versions, machine, command, origins of all who trained here
        self.losses = path / "losses.csv"
        self.evaluations = path / "evaluations.csv"
        self.costs = path / "costs.json"  # seconds of training, memory, parameters
        self.tensorboard = path / "tensorboard"
        self.pictures = path / "pictures"
        self.checkpoints = path / "checkpoints"
        self.identities = path / "identities.json"  # who is trained on, with which pictures
        self.initial = path / "initial.json"  # the weights of another run that it began with
        self.untrained = path / "untrained.json"  # the evaluation before the first step
        self.warnings = path / "warnings.json"  # what the training was warned of
        self.failure = path / "failure"  # a step that failed, to be run again
        self.metrics = path / "metrics.json"  # the last evaluation
        self.conversion = path / "conversion.json"  # of a released checkpoint that was converted
        self.reproduction = path / "reproduction.json"  # of a repetition
        self.lock = path / "lock"  # held by the process that trains

    @property
    def go_on(self) -> str:
        """The command that goes on with the run."""
        config, run = (shlex.quote(str(path)) for path in (self.config, self.path))
        return f"hicmd fit --config {config} --run {run} --resume"

    def place_for(self, out: Path | None, file: str) -> Path:
        """The folder that a command's files go to: `out` where it is given, else the run's. Raises UserError, before
        anything is computed for it, when there is no run, or `file` could not be written there."""
        self.open()
        folder = out or self.path
        check_writable(folder / file)
        return folder

    # ------------------------------------------------------------------------------------------------- to train here

    def check(self, config: Config, resume: bool, changes: Mapping[str, Any] = NOTHING) -> Config:
        """Whether a run may begin, or go on, here; changes nothing. Returns the configuration to train with: the given
        one, with what changed in the run so far and what is to change now.

        changes: values by dotted name, as `read_changes` gives them. Raises UserError when the folder holds a run and
        `resume` is not given, or one with another configuration. A resumed run may be longer, and differ in what
        `NO_FIGURE_DEPENDS_ON` names.
        """
        if self.config.exists():
            if not resume:
                raise UserError(
                    f"{self.path} holds a run already: continue it with --resume or name another folder with --run"
                )
            self._check_same(config)
            return with_values(self._placed(config, here_first=True), {**self._current(), **changes})
        if self.path.exists() and (not self.path.is_dir() or any(map(self._is_foreign, self.path.iterdir()))):
            raise UserError(f"{self.path} exists and is not a run folder: name another one with --run")
        for key, value in changes.items():
            raise UserError(f"--change {key}={value}: {self.path} holds no run yet, begin it with --{key} {value}")
        return config

    def _is_foreign(self, path: Path) -> bool:
        """Whether a file was there before any run: neither the lock nor a leftover of one killed at its beginning."""
        return path != self.lock and not is_leftover(path)

    def _check_same(self, config: Config) -> None:
        begun = self.begun()
        before, now = dict(flattened(to_dict(begun))), dict(flattened(to_dict(config)))
        current = before | self._current()
        for key, value in now.items():
            if key in (*NO_FIGURE_DEPENDS_ON, "training.steps") or value in (before[key], current[key]):
                continue
            since = "" if before[key] == current[key] else f" and then trained with {current[key]}"
            advice = f"; --change {key}={value} instead changes it from here on" if key in CHANGEABLE else ""
            raise UserError(
                f"{key} is {value}, but {self.path} was begun with {before[key]}{since}: resume it with its own "
                f"configuration or name another folder with --run{advice}"
            )
        if config.training.steps < begun.training.steps:
            raise UserError(
                f"training.steps is {config.training.steps}, but {self.path} was begun with "
                f"{begun.training.steps}: a resumed run can only become longer"
            )

    def begin(self, config: Config, resume: bool, changes: Mapping[str, Any] = NOTHING, start: int = 0) -> None:
        """Starts a new folder, or joins an old one when asked to, without what a kill left half-written.

        start: the step that it goes on from, with other values of some settings. Raises UserError as `check` does.
        """
        self.check(config, resume, changes)
        for folder in (self.path, self.checkpoints, self.pictures, self.tensorboard / "projector"):
            sweep(folder)
        origins = self.origins(config)
        if self.config.exists():
            found = history(self.changes(), changes, start, self.open())
            if found or self.changed.exists():
                write_json(self.changed, [change._asdict() for change in found])
            begun = self.begun()
            config = with_values(
                self._placed(config, here_first=True), {key: value_of(begun, key) for key in CHANGEABLE}
            )
        write_text(self.config, dump(config))
        about = {
            "hicmd_tf": __version__,
            **packages(),
            "machine": f"{platform.system()} {platform.machine()}",
            "command": shlex.join(sys.argv),
            "working_folder": os.getcwd(),
            "seed": config.seed,
            "origins": origins,
        }
        write_json(self.environment, about)

    @contextmanager
    def unless_refused(self) -> Iterator[None]:
        """Takes the folder away again where a run was refused, or stopped, before it began: then it holds the lock
        alone."""
        existed = self.path.exists()
        try:
            yield
        finally:
            if not existed and not self.config.exists():
                with suppress(OSError):
                    self.lock.unlink(missing_ok=True)
                    self.path.rmdir()

    # ------------------------------------------------------------------------------------------- what a run is made of

    def open(self) -> Config:
        """The configuration of an existing run, with what changed while it trained; otherwise as `begun`."""
        return with_values(self.begun(), self._current(), str(self.changed))

    def begun(self) -> Config:
        """The configuration that an existing run began with, of an earlier version of hicmd_tf too: what was no setting
        then has base's value, and a warning says so. Raises UserError when there is none, or it has settings of a later
        one."""
        if not self.config.is_file():
            trials = sorted(file.parent for file in self.path.glob("trial_*/config.yaml"))
            if trials:
                raise UserError(
                    f"{self.path} holds {counted(len(trials), 'trial')}, each a run: name one, such as {trials[0]}"
                )
            raise UserError(f"{self.path} is not a run folder, it has no config.yaml: make one with hicmd fit")
        return self._placed(load_stored(self.config))

    def changes(self) -> list[Change]:
        """The changes made while the run trained, in their order. Raises UserError when the file is damaged."""
        return read_history(self.changed)

    def _current(self) -> dict[str, Any]:
        """The settings that changed, as they are now."""
        return {change.setting: change.after for change in self.changes()}

    def _placed(self, config: Config, here_first: bool = False) -> Config:
        """The configuration with folders of pictures that are relative made those of where the run was begun, if we are
        elsewhere and they are still there. here_first: one that is here stays, for the command may mean it."""
        begun = self._said_of("working_folder")
        if not begun or begun == os.getcwd():
            return config
        places = {
            "data.source": config.data.source,
            "data.directory": config.data.directory,
            "training.initialise": config.training.initialise,
        }
        there = {key: Path(begun, place) for key, place in places.items() if place}
        kept = {key for key in there if here_first and Path(places[key]).exists()}
        return with_values(config, {key: str(path) for key, path in there.items() if path.exists() and key not in kept})

    def checkpoint(self, optimisers: bool = True) -> Checkpoint:
        """The newest whole checkpoint, see `checkpoints.newest`. Raises UserError when there is none."""
        found = newest(self.checkpoints, optimisers)
        if found is None:
            raise UserError(f"{self.path} has no checkpoint yet: train it with hicmd fit --run {self.path}")
        return found

    def origins(self, config: Config) -> list[Origin]:
        """Who trained here, this process last, as `origin.with_origin` lists them."""
        return with_origin(self._said_of("origins") or [], config)

    def engines(self) -> list[str]:
        """Who trained here, as far as the run says."""
        return sorted(
            {one["packages"]["engine"] for one in self._said_of("origins") or [] if "engine" in one["packages"]}
        )

    def first_step(self) -> int:
        """Iterations of the weights that the run began with: none, but of a converted checkpoint. Raises UserError when
        the conversion's file is damaged."""
        if not self.conversion.is_file():
            return 0
        found = _said(self.conversion, "iteration")
        if type(found) is not int:
            raise UserError(f"{self.conversion} names no iteration: convert the checkpoint again")
        return found

    def threshold(self, step: int) -> "Threshold | None":
        """Of the similarities of the model after some step; None where nobody chose one, or it was of another step.
        Raises UserError for damaged figures."""
        from hicmd_tf.retrieval.threshold import threshold_in

        metrics = read_json(self.metrics) if self.metrics.is_file() else {}
        if not isinstance(metrics, dict) or metrics.get("steps") != step:
            return None
        return threshold_in(metrics, self.metrics)

    def known_pictures(self) -> dict[str, str]:
        """The `data_hashes` of the pictures that the run was made with; empty where it does not say."""
        return _said(self.identities, "data_sha256") or {}

    def _said_of(self, key: str) -> Any:
        return _said(self.environment, key)


def _said(file: Path, key: str) -> Any:
    """A JSON file's value of a key; None where it is missing or damaged."""
    with suppress(UserError, TypeError, KeyError):
        return read_json(file)[key]
    return None
