"""The folder that holds everything a run makes, and nothing else."""

import os
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hicmd_tf import __version__
from hicmd_tf.config import Config, dump, flattened, load_stored, to_dict, value_of, with_values
from hicmd_tf.config.settings import CHANGEABLE, NO_FIGURE_DEPENDS_ON
from hicmd_tf.errors import UserError
from hicmd_tf.files import check_writable, is_leftover, read_json, sweep, write_json, write_text
from hicmd_tf.runs.checkpoints import Checkpoint, newest
from hicmd_tf.runs.origin import Origin, packages, read_origins, with_origin

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Change(NamedTuple):
    """A setting that the steps after `step` were made with another value of."""

    step: int
    setting: str
    before: Any
    after: Any


class RunFolder:
    """Names and first contents of a run folder.

    config.yaml: the whole configuration. changes.json: settings that changed while it trained, with their step; they
    hold in the place of config.yaml's. environment.json: versions, machine, command, and the origins of all who
    trained here. losses.csv, evaluations.csv, tensorboard/: logs. pictures/: picture grids. checkpoints/.
    identities.json: who is trained on. warnings.json: what the training was warned of. failure/: a step that failed, to
    be run again. untrained.json: the evaluation before the first step. metrics.json: the last one. conversion.json: of
    a released checkpoint that was converted. reproduction.json: of a repetition. lock: held by the process that trains.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.changed = path / "changes.json"
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

    def begin(self, config: Config, resume: bool, changes: Mapping[str, Any] = NOTHING, start: int = 0) -> None:
        """Starts a new folder, or joins an old one when told to, without what a kill left half-written.

        start: the step that it goes on from, with other values of some settings. Raises UserError as `check` does.
        """
        self.check(config, resume, changes)
        for folder in (self.path, self.checkpoints, self.pictures, self.tensorboard / "projector"):
            sweep(folder)
        origins = self.origins(config)
        if self.config.exists():
            self._keep_changes(changes, start)
            begun = self.begun()
            config = with_values(self._placed(config, True), {key: value_of(begun, key) for key in CHANGEABLE})
        write_text(self.config, dump(config))
        write_json(self.environment, {**_environment(config), "origins": origins})

    def _keep_changes(self, changes: Mapping[str, Any], start: int) -> None:
        """Adds what changes at a step. Steps after it, which an earlier change came before, are made anew."""
        current = self.open()
        kept = [change._replace(step=min(change.step, start)) for change in self.changes()]
        new = [Change(start, key, value_of(current, key), value) for key, value in changes.items()]
        found: dict[tuple[int, str], Change] = {}
        for change in [*kept, *new]:
            first = found.get((change.step, change.setting), change)
            found[change.step, change.setting] = change._replace(before=first.before)
        changed = [change._asdict() for change in found.values() if change.before != change.after]
        if changed or self.changed.exists():
            write_json(self.changed, changed)

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

    def origins(self, config: Config) -> list[Origin | None]:
        """Who trained here, this process last, as `origin.with_origin` lists them."""
        earlier: list[Origin | None] = []
        if self.environment.exists():
            earlier = read_origins(self._said_of("origins"))
        return with_origin(earlier, config)

    def first_step(self) -> int:
        """Iterations of the weights that the run began with: none, but of a converted checkpoint. Raises UserError
        when what the conversion wrote is damaged."""
        if not self.conversion.is_file():
            return 0
        found = read_json(self.conversion)
        if not isinstance(found, dict) or type(found.get("iteration")) is not int:
            raise UserError(f"{self.conversion} names no iteration: convert the checkpoint again")
        return int(found["iteration"])

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
            now = {**{change.setting: change.after for change in self.changes()}, **changes}
            return with_values(self._placed(config, True), now)
        if self.path.exists() and (not self.path.is_dir() or any(map(self._is_foreign, self.path.iterdir()))):
            what = "holds trials, each a run" if self._trials() else "exists and is not a run folder"
            raise UserError(f"{self.path} {what}: name another one with --run")
        if changes:
            key, value = next(iter(changes.items()))
            raise UserError(f"--change {key}={value}: {self.path} holds no run yet, begin it with --{key} {value}")
        return config

    def _trials(self) -> list[Path]:
        """The run folders of trials that `fit --trials` makes here."""
        return sorted(file.parent for file in self.path.glob("trial_*/config.yaml"))

    def _is_foreign(self, path: Path) -> bool:
        """Whether a file was there before any run: neither the lock nor a leftover of one killed at its beginning."""
        return path != self.lock and not is_leftover(path)

    def open(self) -> Config:
        """The configuration of an existing run, with what changed while it trained; otherwise as `begun`."""
        return with_values(self.begun(), {change.setting: change.after for change in self.changes()}, str(self.changed))

    def checkpoint(self, optimisers: bool = True) -> Checkpoint:
        """The newest whole checkpoint, see `checkpoints.newest`. Raises UserError when there is none."""
        found = newest(self.checkpoints, optimisers)
        if found is None:
            raise UserError(f"{self.path} has no checkpoint yet: train it with hicmd fit --run {self.path}")
        return found

    def begun(self) -> Config:
        """The configuration that an existing run began with, of an earlier version of hicmd_tf too: what was no setting
        then has base's value, and a warning says so. Raises UserError when there is none, or it has settings of a later
        one."""
        if not self.config.is_file():
            trials = self._trials()
            if trials:
                raise UserError(f"{self.path} holds {len(trials)} trials, each a run: name one, such as {trials[0]}")
            raise UserError(f"{self.path} is not a run folder, it has no config.yaml: make one with hicmd fit")
        return self._placed(load_stored(self.config))

    def _placed(self, config: Config, here_first: bool = False) -> Config:
        """The configuration with folders of pictures that are relative made those of where the run was begun, if we are
        elsewhere and they are still there. here_first: one that is here stays, for the command may mean it."""
        begun = self._said_of("working_folder")
        if not isinstance(begun, str) or begun == os.getcwd():
            return config

        def placed(folder: str) -> str:
            there = Path(begun, folder)
            return str(there) if folder and there.exists() and not (here_first and Path(folder).exists()) else folder

        data = config.data
        return replace(config, data=replace(data, source=placed(data.source), directory=placed(data.directory)))

    def changes(self) -> list[Change]:
        """What changed while the run trained, in its order. Raises UserError when the file is damaged."""
        if not self.changed.exists():
            return []
        try:
            found = [Change(**one) for one in read_json(self.changed)]
            if all(type(one.step) is int and one.setting in CHANGEABLE for one in found):
                return found
        except TypeError:
            pass
        raise UserError(f"{self.changed} is not what training writes: take it from where it is whole")

    def known_pictures(self) -> dict[str, str] | None:
        """The `data_hashes` of a run, where this version says them or an earlier one; None where nothing does."""
        for file, keys in ((self.identities, ("data_sha256",)), (self.metrics, ("provenance", "data_sha256"))):
            with suppress(UserError, LookupError, TypeError, AttributeError):
                found = read_json(file)
                for key in keys:
                    found = found[key]
                return {str(split): str(hashed) for split, hashed in found.items()}
        return None

    def _said_of(self, key: str) -> Any:
        """What environment.json has of a key; None where it is missing or damaged."""
        with suppress(UserError, TypeError, KeyError):
            return read_json(self.environment)[key]
        return None

    def _check_same(self, config: Config) -> None:
        begun = self.begun()
        before, now = dict(flattened(to_dict(begun))), dict(flattened(to_dict(config)))
        current = {**before, **{change.setting: change.after for change in self.changes()}}
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


def _environment(config: Config) -> dict[str, object]:
    return {
        "hicmd_tf": __version__,
        **packages(),
        "machine": f"{platform.system()} {platform.machine()}",
        "command": shlex.join(sys.argv),
        "working_folder": os.getcwd(),
        "seed": config.seed,
    }
