"""What a run's figures come from: hashes that change with whatever matters, and with nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.config import Config, flattened, load, to_dict, with_values
from hicmd_tf.config.settings import NO_FIGURE_DEPENDS_ON
from hicmd_tf.data.samples import Samples
from hicmd_tf.runs import origin as module
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import (
    configuration_hash,
    differences,
    fingerprint,
    origin,
    read_origins,
    with_origin,
)

CONFIG = load("tiny")


def changed(config: Any, key: str) -> Any:
    """The configuration with another value of one setting, possible or not."""
    section, _, rest = key.partition(".")
    value = getattr(config, section)
    if rest:
        return replace(config, **{section: changed(value, rest)})
    if isinstance(value, bool):
        return replace(config, **{section: not value})
    if isinstance(value, list):
        return replace(config, **{section: [*value, 7]})
    if isinstance(value, str):
        return replace(config, **{section: f"{value}_other"})
    return replace(config, **{section: value + 1})


@pytest.mark.parametrize("key", [key for key, _ in flattened(to_dict(CONFIG))])
def test_the_configuration_s_hash_follows_every_setting_that_a_figure_can_depend_on(key: str) -> None:
    same = configuration_hash(changed(CONFIG, key)) == configuration_hash(CONFIG)
    written = [f"training.{name}_every" for name in ("checkpoint", "log", "picture", "watch")]
    assert same == (key in ("data.source", "data.directory", "training.devices", "training.keep_checkpoints", *written))
    assert same == (key in NO_FIGURE_DEPENDS_ON)


PICTURES = st.lists(
    st.tuples(st.binary(max_size=4), st.text(max_size=3), st.integers(-1, 2**40), st.booleans(), st.integers(0, 5)),
    min_size=1,
    max_size=6,
)


def samples(rows: list[tuple[bytes, str, int, bool, int]]) -> Samples:
    encoded, names, identities, infrared, cameras = zip(*rows, strict=True)
    return Samples(
        list(encoded), list(names), np.array(identities, np.int64), np.array(infrared), np.array(cameras, np.int64)
    )


@given(PICTURES, st.data())
def test_the_fingerprint_hangs_on_the_pictures_and_not_on_their_order(rows: Any, data: st.DataObject) -> None:
    before = fingerprint(samples(rows))
    assert fingerprint(samples(data.draw(st.permutations(rows)))) == before
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 4))
    fields = list(rows[row])
    fields[column] = [lambda b: b + b"x", lambda n: n + "x", lambda i: i + 1, lambda i: not i, lambda c: c + 1][column](
        fields[column]
    )
    assert fingerprint(samples([*rows[:row], tuple(fields), *rows[row + 1 :]])) != before
    assert fingerprint(samples([*rows, rows[row]])) != before


def test_two_pictures_that_change_places_are_other_data() -> None:
    rows = [(b"one", "a", 1, False, 1), (b"two", "b", 2, False, 1)]
    swapped = [(b"two", "a", 1, False, 1), (b"one", "b", 2, False, 1)]
    assert fingerprint(samples(rows)) != fingerprint(samples(swapped))


def test_an_origin_tells_code_packages_and_machine_and_no_place() -> None:
    found = origin(CONFIG)
    assert found["code"]["version"] == "0.1.0" and len(found["code"]["sha256"]) == 64
    assert found["packages"]["numpy"] == np.__version__
    assert found["packages"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["machine"]["devices"] == found["machine"]["workers"] == 1 and found["machine"]["processor"]
    text = json.dumps(found)
    assert os.uname().nodename not in text and str(Path.cwd()) not in text
    assert json.loads(text) == found


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of one file in a repository of its own, which takes the place of hicmd_tf."""
    package = tmp_path / "checkout" / "hicmd_tf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("one = 1\n")
    git(package.parent, "init", "-q")
    git(package.parent, "add", ".")
    git(package.parent, "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "first")
    monkeypatch.setattr(module, "SOURCE", package)
    module.code.cache_clear()
    yield package
    module.code.cache_clear()


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def code() -> dict[str, Any]:
    module.code.cache_clear()
    return module.code()


def test_code_is_its_files_and_in_a_checkout_its_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = code()
    assert clean["commit"] == git(checkout, "rev-parse", "HEAD") and not clean["dirty"]
    (checkout.parent / "notes.txt").write_text("beside the package")
    assert code() == clean
    monkeypatch.setenv("GIT_DIR", str(checkout / "nowhere"))  # as git sets it for a hook
    assert code() == clean
    (checkout / "__init__.py").write_text("one = 2\n")
    edited = code()
    assert edited["dirty"] and edited["commit"] == clean["commit"] and edited["sha256"] != clean["sha256"]


@pytest.mark.parametrize("folder", ["export", "tuning"])
def test_code_is_the_same_installed_as_in_a_checkout(folder: str, checkout: Path) -> None:
    before = code()["sha256"]
    (checkout / folder).mkdir()
    (checkout / folder / "one.py").write_text("one = 1\n")
    assert code()["sha256"] == before


def test_without_git_code_is_its_files(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked = code()
    monkeypatch.setenv("PATH", "")
    assert code() == {key: tracked[key] for key in ("version", "sha256")}


def test_a_package_inside_another_project_has_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = checkout.parent / "venv" / "hicmd_tf"
    inside.mkdir(parents=True)
    (inside / "__init__.py").write_text("one = 1\n")
    monkeypatch.setattr(module, "SOURCE", inside)
    assert "commit" not in code()


def told(there: dict[str, Any], here: dict[str, Any] | None = None, **others: Any) -> list[str]:
    same = {"configuration_sha256": "c", "deterministic": True}
    return list(differences({**same, "origins": [there], **others}, {**same, "origins": [here or there]}))


def test_what_is_not_as_it_was_is_told_in_a_line_each() -> None:
    here = origin(CONFIG)
    assert told(here) == []
    there = json.loads(json.dumps(here))
    there["code"] |= {"sha256": "f" * 64, "commit": "e" * 40, "dirty": True}
    there["packages"]["keras"] = "3.0"
    there["machine"] |= {"gpus": ["NVIDIA H100"], "workers": 2}
    code, keras, gpus, workers = told(there, here)
    assert "commit eeeeeeeeeeee with changes, this is hicmd_tf 0.1.0" in code
    assert keras == f"packages: keras was 3.0, here it is {here['packages']['keras']}"
    assert "gpus was NVIDIA H100, here it is none" in gpus and "workers was 2, here it is 1" in workers
    assert "add up in another order" in told(here, deterministic=False)[0]
    assert "config.yaml" in told(here, configuration_sha256="d")[0]
    several = told(there, here, origins=[None, there, here])
    assert (
        "3 different" in several[0] and "kept no account" in several[1] and several[2:] == [code, keras, gpus, workers]
    )


def test_another_commit_of_the_same_code_is_no_other_origin() -> None:
    here = origin(CONFIG)
    committed = {**here, "code": {**here["code"], "commit": "0" * 40, "dirty": not here["code"].get("dirty")}}
    assert with_origin([committed], CONFIG) == [committed] and told(committed, here) == []
    other = {**here, "code": {**here["code"], "sha256": "0" * 64}}
    assert with_origin([None, other], CONFIG) == [None, other, here]


@pytest.mark.parametrize("stored", [None, [], {}, 3, [3], [{}], [{"code": {}, "packages": {}, "machine": {}}]])
def test_origins_that_cannot_be_read_are_unknown(stored: Any) -> None:
    assert read_origins(stored) == [None]


def test_a_run_folder_keeps_who_trained_there(smoke_config: Config, tmp_path: Path) -> None:
    folder, here = RunFolder(tmp_path / "run"), origin(CONFIG)
    assert folder.origins(smoke_config) == [here]
    for resume in (False, True):
        folder.begin(smoke_config, resume)
        assert json.loads(folder.environment.read_text())["origins"] == [here]
    before = json.loads(folder.environment.read_text())
    other = json.loads(json.dumps(here))
    other["packages"]["tensorflow"] = "2.20"
    folder.environment.write_text(json.dumps({**before, "origins": [other]}))
    longer = with_values(smoke_config, {"training.steps": smoke_config.training.steps + 1})
    folder.begin(longer, resume=True)
    assert json.loads(folder.environment.read_text())["origins"] == [other, here]
    folder.environment.write_text(json.dumps({key: before[key] for key in before if key != "origins"}))
    assert folder.origins(longer) == [None, here]  # of a version that kept no account
