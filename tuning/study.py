"""A study on disk: its folder, its trials, who runs them, and how it goes on after a kill."""

import contextlib
import io
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.config import Config, flattened, from_dict, to_dict
from hicmd_tf.config.settings import NO_FIGURE_DEPENDS_ON
from hicmd_tf.data.samples import DataSplits
from hicmd_tf.errors import INTERRUPTED, UserError, begun_by_a_command, stop
from hicmd_tf.files import alone, is_leftover, read_json, sweep, write_json
from hicmd_tf.runs.origin import refuse_other_pictures
from hicmd_tf.training.apart import end_with_parent
from hicmd_tf.tuning.processes import as_chief, check_address, role, run_workers

MAY_DIFFER = {f"config.{key}" for key in NO_FIGURE_DEPENDS_ON}
"""Settings that may differ when a study goes on: a moved folder too, if its pictures are the same."""


class Settings(NamedTuple):
    """Settings that identify a study: its kind (random, bayesian, hyperband), the configuration of its trials, how many
    intervals a trial has, the range of each setting, and the pictures, as `origin.data_hashes` has them."""

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


def holds_study(out: Path, resume: bool) -> bool:
    """Whether a folder holds a study. Raises UserError when it holds something else, or one and it is not to go on."""
    if (out / "study.json").exists():
        if not resume:
            raise UserError(f"{out} holds a search already: go on with --resume or name another folder with --out")
        return True
    there = list(out.iterdir()) if out.is_dir() else []
    if out.is_file() or any(one.name != "lock" and not is_leftover(one) for one in there):
        raise UserError(f"{out} exists and holds no search: name another folder with --out")
    return False


class Study:
    """A folder with study.json, search/ (Keras Tuner's state), runs/trial_N (run folders), workers/ (their logs)."""

    def __init__(self, out: Path, settings: Settings, max_trials: int) -> None:
        self.out, self.settings, self.max_trials = out, settings, max_trials
        self.runs = out / "runs"

    def run(self, model: Any, command: Sequence[str], workers: int, resume: bool) -> dict[str, Any]:
        """Runs what is left of the trials, in this process or in `workers` of them that run `command`.

        model: makes the `tuner.WeightedModel`, which takes TensorFlow's time. Returns the trials by name; none in a
        worker, whose chief has them. Raises UserError for what the user can mend, SystemExit when asked to stop.
        """
        here = role()
        if here != "alone" and not begun_by_a_command():
            _refuse_options(here, workers, resume)
        try:
            if here == "worker":
                end_with_parent(lambda: os._exit(INTERRUPTED))
                self._search(model())
                return {}
            self._check(resume)
            busy = f"{self.out} is in use by another search: let it end, or name another folder with --out"
            with alone(self.out / "lock", busy):
                sweep(self.out)
                write_json(self.out / "study.json", self.settings.as_json())
                if here == "chief":
                    check_address()
                if here == "alone" and workers > 1:
                    tuner = self._with_workers(model(), command, workers)
                else:
                    tuner = self._search(model())
                return dict(tuner.oracle.trials)
        except KeyboardInterrupt:
            stop("stopped; go on with the same command and --resume")

    def _check(self, resume: bool) -> None:
        """Raises UserError when the folder holds something else, or a study and --resume is not given."""
        if not holds_study(self.out, resume):
            return
        stored = self.out / "study.json"
        study = read_json(stored)
        if not isinstance(study, dict) or not all(isinstance(study.get(key), dict) for key in ("config", "pictures")):
            raise UserError(f"{stored} holds no settings of a search: name another folder with --out")
        pictures = study.pop("pictures")
        begun = dict(flattened({**study, "config": to_dict(from_dict(study["config"], stored))}))
        now = dict(flattened(self.settings._replace(pictures={}).as_json()))
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
        """Keras Tuner's loop, until no trial is left; a chief's hands trials out."""
        import grpc

        from hicmd_tf.training.run import Interrupted

        tuner = self._tuner(model)
        try:
            tuner.search()
        except grpc.RpcError as error:
            raise UserError(
                "the chief does not answer any more: look at its terminal, start it with --resume, then the workers"
            ) from error
        except Interrupted as stopped:
            raise KeyboardInterrupt from stopped
        return tuner

    def _with_workers(self, model: Any, command: Sequence[str], count: int) -> Any:
        """Hands out trials to processes on this machine."""
        with as_chief() as environment:
            tuner = self._tuner(model)
            server = threading.Thread(target=tuner.search, daemon=True)
            server.start()
            run_workers(command, count, environment, self.out / "workers", server.is_alive)
            if tuner.oracle.ongoing_trials or tuner.oracle.tuner_ids:
                raise UserError("the search's own server has ended: see above, and begin again with --resume")
            return tuner


def _refuse_options(here: str, workers: int, resume: bool) -> None:
    """Raises UserError for options of one machine, or of the chief, where they would do nothing."""
    if workers > 1:
        raise UserError("--workers is for one machine: start each worker with its own environment, as the docs show")
    if here == "worker" and resume:
        raise UserError(
            "--resume is the chief's alone: leave it out here, this worker takes up what the chief hands out"
        )
