"""Origin of a run's figures: configuration, code, packages, machine, pictures. metrics.json carries it, so that
`hicmd reproduce` can say what is not the same any more. It holds no times, folders or commands, so that equal runs
have equal ones; and nothing here imports an engine before it is asked for packages or devices."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
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

PACKAGES = ("keras", "numpy", "tensorflow-datasets")  # beside the engine's
SOURCE = Path(__file__).parents[1]  # of the package hicmd_tf
BESIDE = ("export", "tuning")  # which a checkout has beside the package, and no figure of a run depends on
PATIENCE = 10  # seconds for git
SHOWN = 12  # letters of a hash in a message


def provenance(
    config: Config,
    data: DataSplits,
    origins: Sequence[Origin],
    start: int,
    end: int,
    changes: Sequence[dict[str, Any]] = (),
) -> Provenance:
    """The provenance in metrics.json: where its figures come from.

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
        "origins": list(origins),
    }


def read_provenance(metrics: Path) -> Provenance:
    """The provenance in a metrics.json, as `provenance` made it. Raises UserError when none can be read."""
    match read_json(metrics):
        case {
            "provenance": {
                "configuration_sha256": str(),
                "deterministic": bool(),
                "steps": {"end": int()},
                "data_sha256": dict(),
                "origins": list(),
            } as found
        }:
            return found
    raise UserError(
        f"{metrics} does not say where its figures come from: hicmd evaluate --run {metrics.parent} adds what can be "
        f"known"
    )


# ------------------------------------------------------------------------------------------------------------ pictures


def data_hashes(config: Config, data: DataSplits) -> dict[str, str]:
    """The `fingerprint` of the pictures that train and of those that the run is judged by, by split."""
    evaluated = "held_out" if config.data.held_out else "test"
    return {"train": fingerprint(data.train), evaluated: fingerprint(getattr(data, evaluated))}


def refuse_other_pictures(known: Mapping[str, str], now: Mapping[str, str], run: Path) -> None:
    """Raises UserError when pictures are not those of a run. known: what `data_hashes` gave then."""
    for split, found in now.items():
        if known.get(split) != found:
            raise UserError(
                f"the {split.replace('_', '-')} pictures, their names or labels are not those that {run} was made with "
                f"(sha256 {str(known.get(split))[:SHOWN]}, now {found[:SHOWN]}): bring them back, or say where they are"
            )


def fingerprint(samples: Samples) -> str:
    """SHA-256 of names, identities, modalities, cameras and files of the pictures, in whatever order they are."""
    columns = samples.names, samples.identities.tolist(), samples.infrared.tolist(), samples.cameras.tolist()
    rows = [json.dumps([*row, _sha256(content)]) for content, *row in zip(samples.encoded, *columns, strict=True)]
    return _sha256("\n".join(sorted(rows)).encode())


def configuration_hash(config: Config) -> str:
    """SHA-256 of all settings but `NO_FIGURE_DEPENDS_ON`, whatever their order in a file."""
    settings = {key: value for key, value in flattened(to_dict(config)) if key not in NO_FIGURE_DEPENDS_ON}
    return _sha256(json.dumps(settings, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ----------------------------------------------------------------------------------------- code, packages and machine


def with_origin(earlier: Sequence[Origin], config: Config) -> list[Origin]:
    """The origins of a run in the order in which they came to it, this process' last unless it is there already."""
    now = origin(config)
    return [*earlier] if _essence(now) in map(_essence, earlier) else [*earlier, now]


def _essence(one: Origin) -> Origin:
    """The part of an origin that numbers can depend on: another commit may hold the same code."""
    return {**one, "code": one["code"]["sha256"]}


def origin(config: Config) -> Origin:
    """Code, packages and machine of this process: with the same ones numbers come out the same."""
    return {"code": code(), "packages": packages(), "machine": machine(config)}


def packages() -> dict[str, str]:
    """The engine, and versions of what computes."""
    import keras

    from hicmd_tf.engines import chosen

    versions = {package: _version(package) for package in (*chosen.PACKAGES, *PACKAGES)}
    return {"python": platform.python_version(), "engine": keras.backend.backend(), **versions}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # or a distribution of another name has it, such as tensorflow-cpu
        return "not found"


@cache
def code() -> dict[str, Any]:
    """hicmd_tf's version, SHA-256 of its source files; in a checkout the commit, and whether files differ from it."""
    places = (file.relative_to(SOURCE) for file in SOURCE.rglob("*.py"))
    files = {str(place): _sha256((SOURCE / place).read_bytes()) for place in places if place.parts[0] not in BESIDE}
    found = {"version": __version__, "sha256": _sha256(json.dumps(files, sort_keys=True).encode())}
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:  # as in an environment inside another project
        return found
    return {**found, "commit": _git("rev-parse", "HEAD"), "dirty": bool(_git("status", "--porcelain", "--", "."))}


def _git(*arguments: str) -> str | None:
    """Git's output about the package's folder, None when it fails; variables of a hook don't lead it elsewhere."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(SOURCE), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def machine(config: Config) -> dict[str, Any]:
    """Properties that rounding may depend on: system, kind of processor, cores, and what the engine adds. Nothing that
    identifies one of several such machines."""
    from hicmd_tf.engines.chosen import hardware

    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    named = (line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name"))
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": next(named, platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        **hardware(config),
    }
