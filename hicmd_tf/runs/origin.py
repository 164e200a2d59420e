"""What a run's figures come from: configuration, code, packages, machine, pictures. metrics.json carries it, so that
`hicmd reproduce` can say what is not the same any more. It holds no times, folders or commands, so that equal runs
have equal ones; and nothing here imports TensorFlow before it is asked for devices."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hicmd_tf import __version__
from hicmd_tf.config import Config, flattened, to_dict
from hicmd_tf.config.settings import NO_FIGURE_DEPENDS_ON
from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.errors import UserError
from hicmd_tf.files import read_json

Origin = dict[str, Any]
Provenance = dict[str, Any]

PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets")
SOURCE = Path(__file__).parents[1]  # of the package hicmd_tf
BESIDE = ("export", "tuning")  # which a checkout has beside the package, and no figure of a run depends on
PATIENCE = 10  # seconds for git
SHOWN = 12  # letters of a hash in a message


def provenance(
    config: Config,
    data: DataSplits,
    origins: list[Origin | None],
    start: int,
    end: int,
    changes: Sequence[dict[str, Any]] = (),
) -> Provenance:
    """What metrics.json says of where its figures come from.

    config: with which the last step was made. origins: who trained and evaluated the run, as `with_origin` lists them.
    start, end: iterations before the weights that the run began with and that it ended with. changes: as changes.json
    has them.
    """
    return {
        "configuration_sha256": configuration_hash(config),
        "seed": config.seed,
        "deterministic": config.training.deterministic,
        "steps": {"start": start, "end": end},
        **({"changes": list(changes)} if changes else {}),
        "data_sha256": data_hashes(config, data),
        "origins": origins,
    }


def data_hashes(config: Config, data: DataSplits) -> dict[str, str]:
    """The `fingerprint` of the pictures that train and of those that the run is judged by, by split."""
    evaluated = "held_out" if config.data.held_out else "test"
    return {"train": fingerprint(data.train), evaluated: fingerprint(getattr(data, evaluated))}


def refuse_other_pictures(known: Any, now: dict[str, str], run: Path) -> None:
    """Raises UserError when pictures are not those of a run. known: what `data_hashes` gave then."""
    for split, found in now.items():
        if known.get(split) != found:
            raise UserError(
                f"the {split.replace('_', '-')} pictures, their names or labels are not those that {run} was made with "
                f"(sha256 {str(known.get(split))[:SHOWN]}, now {found[:SHOWN]}): bring them back, or say where they are"
            )


def configuration_hash(config: Config) -> str:
    """SHA-256 of all settings but `NO_FIGURE_DEPENDS_ON`, whatever their order in a file."""
    settings = {key: value for key, value in flattened(to_dict(config)) if key not in NO_FIGURE_DEPENDS_ON}
    return _sha256(json.dumps(settings, sort_keys=True).encode())


def fingerprint(samples: Samples) -> str:
    """SHA-256 of names, identities, modalities, cameras and files of the pictures, in whatever order they are."""
    columns = samples.names, samples.identities.tolist(), samples.infrared.tolist(), samples.cameras.tolist()
    rows = [json.dumps([*row, _sha256(content)]) for content, *row in zip(samples.encoded, *columns, strict=True)]
    return _sha256("\n".join(sorted(rows)).encode())


def with_origin(earlier: list[Origin | None], config: Config) -> list[Origin | None]:
    """The origins of a run in the order in which they came to it, this process' last unless it is there already.

    earlier: None among them stands for a version of hicmd_tf that kept no account.
    """
    now = origin(config)
    known = [_essence(one) for one in earlier if one is not None]
    return earlier if _essence(now) in known else [*earlier, now]


def read_provenance(metrics: Path) -> Provenance:
    """What `provenance` says in a metrics.json. Raises UserError when there is none that can be read."""
    stored = read_json(metrics)
    found = stored.get("provenance") if isinstance(stored, dict) else None
    kinds = {"configuration_sha256": str, "deterministic": bool, "steps": dict, "data_sha256": dict, "origins": list}
    if not (
        isinstance(found, dict)
        and all(isinstance(found.get(key), kind) for key, kind in kinds.items())
        and type(found["steps"].get("end")) is int
    ):
        raise UserError(
            f"{metrics} does not say where its figures come from, an earlier version wrote it: "
            f"hicmd evaluate --run {metrics.parent} adds what can still be known"
        )
    return {**found, "origins": read_origins(found["origins"])}


def read_origins(stored: Any) -> list[Origin | None]:
    """Origins as a file has them; those that are missing or can't be read stand as None."""
    return [one if _readable(one) else None for one in (stored if isinstance(stored, list) and stored else [None])]


def _readable(one: Any) -> bool:
    """Whether this is what `origin` makes, of this version or another."""
    parts = [one.get(part) for part in ("code", "packages", "machine")] if isinstance(one, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        return False
    told = [one["code"].get(key) for key in ("version", "sha256")]
    return all(isinstance(text, str) for text in [*told, one["code"].get("commit", "")])


def _essence(one: Origin) -> Origin:
    """What numbers can depend on: another commit may hold the same code."""
    return {**one, "code": one["code"]["sha256"]}


def origin(config: Config) -> Origin:
    """Code, packages and machine of this process: with the same ones numbers come out the same."""
    return {"code": code(), "packages": packages(), "machine": machine(config)}


def packages() -> dict[str, str]:
    """Versions of what computes."""
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


@cache
def code() -> dict[str, Any]:
    """hicmd_tf's version, SHA-256 of its source files; in a checkout the commit, and whether files differ from it."""
    places = (file.relative_to(SOURCE) for file in SOURCE.rglob("*.py"))
    files = {str(place): _sha256((SOURCE / place).read_bytes()) for place in places if place.parts[0] not in BESIDE}
    return {"version": __version__, "sha256": _sha256(json.dumps(files, sort_keys=True).encode()), **_commit()}


def _commit() -> dict[str, Any]:
    """Of the checkout that holds the package; empty when none does, or there is no git."""
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:  # as in an environment inside another project
        return {}
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", ".")
    return {} if commit is None or changed is None else {"commit": commit, "dirty": bool(changed)}


def _git(*arguments: str) -> str | None:
    """What git prints about the package's folder, None when it fails; variables of a hook don't lead it elsewhere."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(SOURCE), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None
    return None if done.returncode else done.stdout.strip()


def machine(config: Config) -> dict[str, Any]:
    """What rounding may depend on: system, kind of processor, cores, oneDNN's kernels, GPUs, and how many devices and
    workers share a batch. Nothing that tells one such machine from another."""
    import tensorflow as tf

    from hicmd_tf.engines.chosen import cluster

    found = tf.config.list_physical_devices("GPU")
    gpus = {str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)) for gpu in found}
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0",
        "gpus": sorted(gpus),
        "devices": config.training.devices or max(len(found), 1),
        "workers": cluster().workers,
    }


def _processor() -> str:
    """The model's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def differences(then: Provenance, now: Provenance) -> Iterator[str]:
    """In a line each, what is not as it was when a run was made, its pictures apart. now: of one origin."""
    if then["configuration_sha256"] != now["configuration_sha256"]:
        yield "the run's config.yaml is not, or in this version means not, what its figures were made with"
    if not then["deterministic"]:
        yield (
            "the run was trained with training.deterministic false: TensorFlow may add up in another order each time, "
            "and its bits can't be expected to come out again"
        )
    if len(then["origins"]) > 1:
        yield f"{len(then['origins'])} different codes, sets of packages or machines had a part in the run"
    if None in then["origins"]:
        yield "code, packages and machine that trained it are not known: its version of hicmd_tf kept no account"
    (here,) = now["origins"]
    told = [line for there in then["origins"] if there is not None for line in _unlike(there, here)]
    yield from dict.fromkeys(told)


def _unlike(there: Origin, here: Origin) -> Iterator[str]:
    """In a line each, how two origins differ."""
    if there["code"]["sha256"] != here["code"]["sha256"]:
        yield f"code: the run is of {_named(there['code'])}, this is {_named(here['code'])}"
    for part in ("packages", "machine"):
        for name in {**there[part], **here[part]}:
            before, now = there[part].get(name), here[part].get(name)
            if before != now:
                yield f"{part}: {name} was {_worded(before)}, here it is {_worded(now)}"


def _named(code: dict[str, Any]) -> str:
    commit = (
        f", commit {code['commit'][:SHOWN]}{' with changes' if code.get('dirty') else ''}" if "commit" in code else ""
    )
    return f"hicmd_tf {code['version']}, sha256 {code['sha256'][:SHOWN]}{commit}"


def _worded(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
