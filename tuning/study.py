"""A study on disk: its folder, its trials, who runs them, and how it goes on after a kill."""

import contextlib
import io
import math
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.config import Config, flattened, from_dict, to_dict
from hicmd_tf.config.changing import NO_FIGURE_DEPENDS_ON
from hicmd_tf.data.samples import DataSplits
from hicmd_tf.errors import UserError, stop
from hicmd_tf.files import alone, read_json, write_json
from hicmd_tf.runs.origin import refuse_other_pictures
from hicmd_tf.tuning.processes import (
    SILENCE,
    WORD,
    Workers,
    as_chief,
    begun_by_a_command,
    check_address,
    end_with_parent,
    role,
)

MAY_DIFFER = {f"config.{key}" for key in NO_FIGURE_DEPENDS_ON}
"""What may be another when a study goes on: a moved folder too, if its pictures are the same."""


class Settings(NamedTuple):
    """What makes a study the same one: its kind (random, bayesian, hyperband, grid), the configuration of its trials,
    how many intervals a trial has, the ranges or choices of each setting, and the pictures, as `origin.data_hashes`
    has them."""

    kind: str
    config: Config
    intervals: int
    space: dict[str, Any]
    pictures: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """As study.json has it."""
        space = {name: list(values) for name, values in self.space.items()}
        return {**self._asdict(), "config": to_dict(self.config), "space": space}


def prepared(config: Config) -> DataSplits:
    """The pictures of a study, drawn or copied before several processes want them."""
    from hicmd_tf.data.datasets import load
    from hicmd_tf.engines.chosen import set_up

    set_up(config)
    return load(config.data)


def _read_study(file: Path) -> dict[str, Any]:
    """What `Settings.as_json` stored, in an earlier version of hicmd_tf too. Raises UserError when it is damaged."""
    found = read_json(file)
    if not isinstance(found, dict) or not all(isinstance(found.get(key), dict) for key in ("config", "pictures")):
        raise UserError(f"{file} holds no settings of a search: name another folder with --out")
    return {**found, "config": to_dict(from_dict(found["config"], file))}


class Study:
    """A folder with study.json, search/ (Keras Tuner's state), runs/trial_N (run folders), workers/ (their logs)."""

    def __init__(self, out: Path, settings: Settings, max_trials: int) -> None:
        self.out, self.settings, self.max_trials = out, settings, max_trials
        self.runs = out / "runs"

    def run(self, model: Any, command: Sequence[str], workers: int, resume: bool) -> dict[str, Any]:
        """Runs what is left of the trials, in this process or in `workers` of them that run `command`.

        model: makes the `hicmd_tf.tuning.tuner.Model`, which takes TensorFlow's time. Returns the trials by name; none
        in a worker, whose chief has them. Raises UserError for what the user can mend, SystemExit when asked to stop.
        """
        here = role()
        _refuse_alone(here, workers, resume)
        try:
            if here == "worker":
                end_with_parent()
                self._search(model())
                return {}
            self._check(resume)
            busy = f"{self.out} is in use by another search: let it end, or name another folder with --out"
            with alone(self.out / "lock", busy):
                write_json(self.out / "study.json", self.settings.as_json())
                if here == "chief":
                    tuner = self._serve(model())
                elif workers == 1:
                    tuner = self._search(model())
                else:
                    tuner = self._with_workers(model(), command, workers)
                return dict(tuner.oracle.trials)
        except KeyboardInterrupt:
            stop("stopped; go on with the same command and --resume")

    def _check(self, resume: bool) -> None:
        """Raises UserError when the folder holds something else, or a study and --resume is not given."""
        stored = self.out / "study.json"
        if not stored.exists():
            if self.out.exists() and (not self.out.is_dir() or {file.name for file in self.out.iterdir()} - {"lock"}):
                raise UserError(f"{self.out} exists and holds no search: name another folder with --out")
            return
        if not resume:
            raise UserError(f"{self.out} holds a search already: go on with --resume or name another folder with --out")
        study = _read_study(stored)
        pictures = study.pop("pictures")
        begun, now = dict(flattened(study)), dict(flattened(self.settings._replace(pictures={}).as_json()))
        for key in {**begun, **now}:
            if key not in MAY_DIFFER and begun.get(key) != now.get(key):
                raise UserError(
                    f"{key.removeprefix('config.')} is {now.get(key)}, but the search in {self.out} was begun with "
                    f"{begun.get(key)}: go on with its own settings or name another folder with --out"
                )
        refuse_other_pictures(pictures, self.settings.pictures, self.out)

    def _tuner(self, model: Any) -> Any:
        from hicmd_tf.tuning.oracles import oracle
        from hicmd_tf.tuning.tuner import Tuner

        kind, config, intervals, *_ = self.settings
        chosen = oracle(kind, model.space, self.max_trials, intervals, config.seed, self.runs)
        with contextlib.redirect_stdout(io.StringIO()):  # it says that it reloads
            return Tuner(chosen, model, self.out, self.runs)

    def _search(self, model: Any) -> Any:
        """Keras Tuner's loop, until no trial is left."""
        import grpc

        from hicmd_tf.training.run import Interrupted

        tuner = self._tuner(model)
        if role() == "worker":
            threading.Thread(target=_say_so, args=(tuner.oracle,), daemon=True).start()
        try:
            tuner.search()
        except grpc.RpcError as error:
            raise UserError(
                "the chief does not answer any more: look at its terminal, start it with --resume, then the workers"
            ) from error
        except Interrupted as stopped:
            raise KeyboardInterrupt from stopped
        return tuner

    def _serve(self, model: Any) -> Any:
        """Hands out trials to workers on other machines. Raises UserError when none is heard of for too long."""
        check_address()
        tuner = self._tuner(model)
        server = threading.Thread(target=tuner.search, daemon=True)
        server.start()
        while server.is_alive():
            server.join(1)
            if server.is_alive() and time.monotonic() > tuner.oracle.heard + SILENCE:
                raise UserError(
                    f"no worker has been heard of for {SILENCE / 60:g} minutes: look at their terminals, begin again "
                    f"with --resume, then start them"
                )
        return tuner

    def _with_workers(self, model: Any, command: Sequence[str], count: int) -> Any:
        """Hands out trials to processes on this machine."""
        with as_chief() as environment:
            tuner = self._tuner(model)
            server = threading.Thread(target=tuner.search, daemon=True)
            server.start()
            workers = Workers(command, count, environment, self.out / "workers")
            try:
                workers.wait(
                    lambda: not tuner.oracle.ongoing_trials and not tuner.oracle.tuner_ids,
                    server.is_alive,
                    lambda name: tuner.oracle.asked.get(name, -math.inf),
                )
            finally:
                workers.stop()
            return tuner


def _refuse_alone(here: str, workers: int, resume: bool) -> None:
    """Raises UserError for options of one machine, or of the chief, where they would do nothing."""
    if here == "alone" or begun_by_a_command():
        return
    if workers > 1:
        raise UserError("--workers is for one machine: start each worker with its own environment, as the docs show")
    if here == "worker" and resume:
        raise UserError(
            "--resume is the chief's alone: leave it out here, this worker takes up what the chief hands out"
        )


def _say_so(oracle: Any) -> None:
    """Lets the chief hear of this worker, however long a trial takes, until one of them ends."""
    import grpc

    with contextlib.suppress(grpc.RpcError, ValueError):  # the latter of a channel that is closed
        while True:
            time.sleep(WORD)
            oracle.get_space()
