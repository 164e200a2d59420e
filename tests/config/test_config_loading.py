"""Reading configurations: chains, overrides, types, and one clear line for what is wrong."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.config import Config, dump, flattened, load, to_dict
from hicmd_tf.config.comments import commented
from hicmd_tf.config.loading import configs_folder
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.errors import UserError

NAMES = sorted(file.stem for file in configs_folder().glob("*.yaml"))


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path | str, **overrides: object) -> str:
    """The message of the refusal, which must be one line."""
    with pytest.raises(UserError) as caught:
        load(path, {key.replace("__", "."): value for key, value in overrides.items()})
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_loads_and_survives_a_dump(name: str, tmp_path: Path) -> None:
    config = load(name)
    assert load(write(tmp_path, dump(config))) == config


def test_base_is_what_the_schema_says() -> None:
    text = (configs_folder() / "base.yaml").read_text()
    assert list(dict(flattened(yaml.safe_load(text)))) == list(SETTINGS)
    assert commented(text) == text  # else: make format


def test_a_file_overrides_what_it_extends_and_the_command_line_both(tmp_path: Path) -> None:
    write(tmp_path, "extends: base\nbatch:\n  pairs: 5\n  negatives: 6\nseed: 1\n", "middle.yaml")
    path = write(tmp_path, "extends: middle.yaml\nbatch:\n  negatives: 7\n")
    config = load(path, {"seed": 3})
    assert (config.batch.pairs, config.batch.negatives, config.seed) == (5, 7, 3)
    assert config.losses == load("base").losses


def test_released_and_paper_have_the_values_that_the_schema_names() -> None:
    base, released, paper = (dict(flattened(to_dict(load(name)))) for name in ("base", "released", "paper"))
    differing = {key: one.note for key, one in SETTINGS.items() if one.note.paper is not None}
    assert {key: base[key] for key in differing} == {key: note.released for key, note in differing.items()}
    assert {key: paper[key] for key in SETTINGS if paper[key] != released[key]} == {
        key: note.paper for key, note in differing.items()
    }
    assert len(differing) == 15


AWKWARD = ["1e-4", "010", "yes", "null", "1:30", ".5", "2020-01-01", "a: b", "# x", "-", "'", "*a", "[1]"]


@settings(max_examples=20)
@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60).filter(str.strip)
    | st.sampled_from(AWKWARD),
    rate=st.floats(0, 1e6, exclude_min=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_dump_keeps_awkward_text_and_numbers(
    tmp_path_factory: pytest.TempPathFactory, name: str, rate: float, seed: int
) -> None:
    config = load("base", {"seed": seed, "optimisers.generator_rate": rate})
    config = replace(config, data=replace(config.data, directory=name))
    assert load(write(tmp_path_factory.mktemp("dump"), dump(config))) == config


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        *(("optimisers.feature_rate", text, 1e-4) for text in ("1e-4", "1E-4", "1.0e-4", ".0001", "'1e-4'")),
        ("losses.same", "3", 3.0),
        ("batch.pairs", "010", 10),
        ("optimisers.nesterov", "False", False),
        ("networks.decoder.widths", "[4, 8]", [4, 8]),
        ("data.directory", "010", "010"),
        ("data.directory", "yes", "yes"),
        ("data.source", "", ""),
    ],
)
def test_values_are_read_as_people_write_them(key: str, written: str, value: object, tmp_path: Path) -> None:
    found = dict(flattened(to_dict(load(write(tmp_path, f"extends: base\n{key}: {written}\n")))))[key]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        *(("batch.pairs", text, "a whole number") for text in ("true", "4.5", "many", "[4]", "''", "0x10", "9" * 5000)),
        *(("losses.same", text, "a finite number") for text in ("true", ".nan", "-.inf", "nan", "1e400", "-1")),
        *(("optimisers.nesterov", text, "true or false") for text in ("maybe", "[true]", "2")),
        ("losses.same_style", "mixed", "swapped or own"),
        ("data.name", "regbd", "synthetic_vi, regdb, sysu_mm01, llcm or folder"),
        *(
            ("networks.decoder.widths", text, "a list of 2 whole numbers")
            for text in (
                "64",
                "[64]",
                "[64, 1.5]",
                "[64, true]",
                "[&a [x, x], *a]",
                "[" + "1, " * 5000 + "]",
            )
        ),
        *(("data.source", text, "text that can be a path") for text in ('"a\\0b"', '"\\ud800"', "x" * 5000, "[x]")),
    ],
)
def test_wrong_values_name_key_place_and_expectation(key: str, written: str, expected: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"extends: base\n\n{key}: {written}\n")
    message = refusal(path)
    assert message.startswith(f"{path}, line 3: {key} is ") and f"expected {expected}" in message
    assert len(message) < len(str(path)) + 300


@pytest.mark.parametrize("value", [True, 4.5, None, [4], {"a": 1}, 10**400, float("nan"), float("inf"), -1])
def test_values_of_other_types_are_refused_too(value: object) -> None:
    for key in ("batch__pairs", "networks__decoder__widths", "optimisers__nesterov", "data__name"):
        if (key, value) != ("optimisers__nesterov", True):
            assert f"command line: {key.replace('__', '.')} is " in refusal("base", **{key: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        (
            "extends: base\ndata:\n  directory: null\n",
            "line 3: data.directory is null: give a value, or leave the line",
        ),
        ("# only a comment\n", "is empty"),
        ("- 1\n- 2\n", "expected a mapping"),
        ("just words\n", "expected a mapping"),
        ("seed: 1\nbatch: [1\n", "not valid YAML, line 3: "),
        ("seed: 1\n\tbatch: 1\n", "not valid YAML, line 2: "),
        ("extends: base\nseed: \x07\n", "not valid YAML"),
        ("extends: base\nseed: &a [*a]\n", "not valid YAML"),
        ("seed: 1\nbatch:\n  pairs: 1\nseed: 2\n", "line 4: seed stands here a second time"),
        ("batch:\n  pairs: 1\nbatch:\n  flip: 0.5\n", "line 3: batch stands here a second time"),
        ("batch: 3\nextends: base\n", "batch is a section"),
        ("batch:\nextends: base\n", "batch is a section"),
        ("extends: base\nbatch:\n  pair: 4\n", "line 3: there is no setting batch.pair (nearest: batch.pairs)"),
        ("extends: base\nembedding:\n  pad: 4\n", "line 3: embedding.pad is called batch.pad now: rename it"),
        ("extends: base\n" + "x" * 1000 + ": 1\n", "line 2: there is no setting xxx"),
        ("extends: base\n? [a, b]\n: 1\n", "line 2: there is no setting"),
        ("seed: 1\n", "missing; add `extends: base`"),
        ("extends: nowhere.yaml\n", "nowhere.yaml can't be read (No such file"),
        ("extends: strong.yaml\n", "strong.yaml: strong, without .yaml, is the one in configs/"),
        ("extends: [base]\n", "expected the name of one .yaml file"),
        ("extend: base\n", "line 1: there is no setting extend (nearest: extends)"),
        ("extends: bas\n", "there is no configuration bas (nearest: base)"),
        ("extends: ./mine.yaml\n", "50 files extend one another, or go in a circle"),
        ('extends: "a\\0b.yaml"\n', "can't be the name of a file"),
        ("extends: base\nseed: !!python/object/apply:os.abort []\n", "seed is []"),
        ("extends: base\nseed: " + "[" * 3_000 + "]" * 3_000, "in one another without end"),
        ("&a {extends: base, data: *a}\n", "in one another without end"),
        ("# a comment\n" * (1 << 18), "more than 262,144"),
    ],
)
def test_unusable_files(text: str, expected: str, tmp_path: Path) -> None:
    message = refusal(write(tmp_path, text))
    assert expected in message and len(message) < len(str(tmp_path)) + 400


def test_paths_that_are_no_text_file(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, said in (
        (tmp_path / "missing.yaml", "can't be read"),
        (tmp_path, "is a folder"),
        (tmp_path / "binary.yaml", "not a text file"),
        (tmp_path / "circle.yaml", "can't be read (Too many levels of symbolic links)"),
        (tmp_path / "pipe.yaml", "is a pipe"),
        ("tinny", "there is no configuration tinny (nearest: tiny)"),
    ):
        assert said in refusal(path)
    assert "command line: there is no setting loses.kl (nearest: losses.kl)" in refusal("base", loses__kl=1.0)


@pytest.mark.parametrize("text", ["extends: strong8\n", "extends: mine8\n"])
def test_a_file_of_one_s_own_is_named_with_its_ending(text: str, tmp_path: Path) -> None:
    name = text.removeprefix("extends: ").strip()
    (tmp_path / f"{name}.yaml").write_text("extends: base\nseed: 8\n")
    said = f"there is no configuration {name} in configs/: for your file {tmp_path / name}.yaml write {name}.yaml"
    assert said in refusal(write(tmp_path, text))
    with contextlib.chdir(tmp_path):
        assert f"for your file {name}.yaml write {name}.yaml" in refusal(name)
        assert load(f"{name}.yaml").seed == load(write(tmp_path, f"extends: {name}.yaml\n")).seed == 8


def test_to_dict_holds_plain_values(smoke_config: Config) -> None:
    tree = dict(flattened(to_dict(smoke_config)))
    assert set(tree) == set(SETTINGS)
    assert {type(value) for value in tree.values()} == {bool, int, float, str, list}
