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

from hicmd_tf.config import Config, flattened, load, to_dict
from hicmd_tf.data.samples import Samples
from hicmd_tf.runs import origin as module
from hicmd_tf.runs.folder import RunFolder
from hicmd_tf.runs.origin import configuration_hash, fingerprint, origin, with_origin

CONFIG = load("tiny")
FREE = {f"training.{name}_every" for name in ("checkpoint", "log", "picture", "watch")} | {
    "data.source",
    "data.directory",
    "training.devices",
    "training.engine",
    "training.keep_checkpoints",
}


def changed(config: Any, key: str) -> Any:
    """The configuration with another value of one setting, possible or not."""
    section, _, rest = key.partition(".")
    value = getattr(config, section)
    if rest:
        return replace(config, **{section: changed(value, rest)})
    kinds = {bool: lambda: not value, list: lambda: [*value, 7], str: lambda: f"{value}_other"}
    return replace(config, **{section: kinds.get(type(value), lambda: value + 1)()})


def test_the_configuration_s_hash_follows_every_setting_that_a_figure_can_depend_on() -> None:
    keys = [key for key, _ in flattened(to_dict(CONFIG))]
    same = {key for key in keys if configuration_hash(changed(CONFIG, key)) == configuration_hash(CONFIG)}
    assert same == FREE


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
    other = [lambda b: b + b"x", lambda n: n + "x", lambda i: i + 1, lambda i: not i, lambda c: c + 1]
    fields[column] = other[column](fields[column])
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
    (checkout / "export").mkdir()
    (checkout / "export" / "one.py").write_text("one = 1\n")  # of a checkout
    assert code()["sha256"] == clean["sha256"]
    (checkout / "__init__.py").write_text("one = 2\n")
    edited = code()
    assert edited["dirty"] and edited["commit"] == clean["commit"] and edited["sha256"] != clean["sha256"]
    monkeypatch.setenv("PATH", "")
    assert code() == {key: edited[key] for key in ("version", "sha256")}


def test_a_package_inside_another_project_has_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = checkout.parent / "venv" / "hicmd_tf"
    inside.mkdir(parents=True)
    (inside / "__init__.py").write_text("one = 1\n")
    monkeypatch.setattr(module, "SOURCE", inside)
    assert "commit" not in code()


def test_another_commit_of_the_same_code_is_no_other_origin() -> None:
    here = origin(CONFIG)
    committed = {**here, "code": {**here["code"], "commit": "0" * 40, "dirty": not here["code"].get("dirty")}}
    assert with_origin([committed], CONFIG) == [committed]
    other = {**here, "code": {**here["code"], "sha256": "0" * 64}}
    assert with_origin([other], CONFIG) == [other, here]


def test_a_run_folder_keeps_who_trained_there(smoke_config: Config, tmp_path: Path) -> None:
    folder, here = RunFolder(tmp_path / "run"), origin(CONFIG)
    assert folder.origins(smoke_config) == [here]
    for resume in (False, True):
        folder.begin(smoke_config, resume)
        assert json.loads(folder.environment.read_text())["origins"] == [here]
    other = json.loads(json.dumps(here))
    other["packages"]["tensorflow"] = "2.20"
    folder.environment.write_text(json.dumps({**json.loads(folder.environment.read_text()), "origins": [other]}))
    folder.begin(smoke_config, resume=True)
    assert json.loads(folder.environment.read_text())["origins"] == [other, here]
