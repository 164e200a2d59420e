"""Reading configurations: chains, overrides, types, and one clear line for what is wrong."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.config import Config, dump, load, to_dict
from hicmd_tf.config.comments import commented
from hicmd_tf.config.loading import configs_folder
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.config.yaml_settings import read_settings, write_settings
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


def flat(tree: dict, prefix: str = "") -> dict[str, object]:
    leaves: dict[str, object] = {}
    for key, value in tree.items():
        leaves |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return leaves


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_loads_and_survives_a_dump(name: str, tmp_path: Path) -> None:
    config = load(name)
    assert load(write(tmp_path, dump(config))) == config


def test_base_is_what_the_schema_says() -> None:
    text = (configs_folder() / "base.yaml").read_text()
    assert list(flat(yaml.safe_load(text))) == list(SETTINGS)
    assert commented(text) == text  # else: make format


def test_a_file_overrides_what_it_extends_and_the_command_line_both(tmp_path: Path) -> None:
    write(tmp_path, "extends: base\nbatch:\n  pairs: 5\n  negatives: 6\nseed: 1\n", "middle.yaml")
    path = write(tmp_path, "extends: middle.yaml\nbatch:\n  negatives: 7\n")
    config = load(path, {"seed": 3})
    assert (config.batch.pairs, config.batch.negatives, config.seed) == (5, 7, 3)
    assert config.losses == load("base").losses


def test_released_and_paper_have_the_values_that_the_schema_names() -> None:
    base, released, paper = (flat(to_dict(load(name))) for name in ("base", "released", "paper"))
    differing = {key: one.note for key, one in SETTINGS.items() if one.note.paper is not None}
    assert {key: base[key] for key in differing} == {key: note.released for key, note in differing.items()}
    assert {key: paper[key] for key in SETTINGS if paper[key] != released[key]} == {
        key: note.paper for key, note in differing.items()
    }
    assert len(differing) == 15


@settings(max_examples=20)
@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60).filter(str.strip),
    rate=st.floats(0, 1e6, exclude_min=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_dump_keeps_awkward_text_and_numbers(
    tmp_path_factory: pytest.TempPathFactory, name: str, rate: float, seed: int
) -> None:
    base = load("base")
    config = replace(
        base,
        seed=seed,
        data=replace(base.data, directory=name),
        optimisers=replace(base.optimisers, generator_rate=rate),
    )
    assert load(write(tmp_path_factory.mktemp("dump"), dump(config))) == config


@pytest.mark.parametrize("directory", ["1e-4", "010", "yes", "null", "1:30", ".5", "2020-01-01", "a: b", "# x", "-"])
def test_a_dump_quotes_text_that_looks_like_something_else(directory: str, tmp_path: Path) -> None:
    config = load("base", {"data.directory": directory})
    assert load(write(tmp_path, dump(config))).data.directory == directory


@pytest.mark.parametrize("written", ["1e-4", "1E-4", "1.0e-4", "0.0001", ".0001", "1e-04"])
def test_numbers_are_read_as_people_write_them(written: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"extends: base\noptimisers:\n  feature_rate: {written}\n")
    assert load(path).optimisers.feature_rate == 1e-4


def test_a_whole_number_may_stand_for_a_float(tmp_path: Path) -> None:
    value = load(write(tmp_path, "extends: base\nlosses:\n  same: 3\n")).losses.same
    assert value == 3.0 and type(value) is float


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("batch.pairs", "true", "a whole number"),
        ("batch.pairs", "4.0", "a whole number"),
        ("batch.pairs", "many", "a whole number"),
        ("batch.pairs", "[4]", "a whole number"),
        ("batch.pairs", "", "a whole number"),
        ("losses.same", "true", "a finite number"),
        ("losses.same", ".nan", "a finite number"),
        ("losses.same", "-.inf", "a finite number"),
        ("losses.same", "'50'", "a finite number"),
        ("optimisers.nesterov", "1", "true or false"),
        ("optimisers.nesterov", "yes", "true or false"),
        ("networks.resnet_weights", "null", "text"),
        ("losses.same_style", "mixed", "swapped or own"),
        ("networks.decoder.widths", "64", "a list of 2 whole numbers"),
        ("networks.decoder.widths", "[64, 1.5]", "a list of 2 whole numbers"),
        ("networks.decoder.widths", "[64, true]", "a list of 2 whole numbers"),
    ],
)
def test_wrong_types_name_key_place_and_expectation(key: str, written: str, expected: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"extends: base\n\n{key}: {written}\n")
    message = refusal(path)
    assert message.startswith(f"{path}, line 3: {key} is ") and f"expected {expected}" in message


def test_numbers_beyond_a_float_are_refused() -> None:
    assert "losses.same" in refusal("base", losses__same=10**400)


def test_an_unknown_key_names_place_and_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "extends: base\nbatch:\n  pair: 4\n")
    assert refusal(path).startswith(f"{path}, line 3: there is no setting batch.pair (nearest: batch.pairs)")
    assert "command line: there is no setting loses.kl (nearest: losses.kl)" in refusal("base", loses__kl=1.0)


def test_a_problem_is_reported_where_the_setting_stands(tmp_path: Path) -> None:
    path = write(tmp_path, "extends: base\nbatch:\n  flip: 1.5\n")
    assert refusal(path).startswith(f"{path}, line 3: batch.flip is 1.5: ")
    assert refusal("base", batch__flip=-0.5).startswith("command line: batch.flip is -0.5: ")


def test_values_that_are_one_object_are_written_out(tmp_path: Path) -> None:
    widths = [1, 2]
    text = write_settings({"a": widths, "b": {"c": widths}})
    found = read_settings(write(tmp_path, text))
    assert {key: setting.value for key, setting in found.items()} == {"a": [1, 2], "b.c": [1, 2]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- 1\n- 2\n", "expected a mapping"),
        ("just words\n", "expected a mapping"),
        ("seed: 1\nbatch: [1\n", "line 3: "),
        ("seed: 1\n\tbatch: 1\n", "line 2: "),
        ("seed: 1\nbatch:\n  pairs: 1\nseed: 2\n", "line 4: seed stands here a second time"),
        ("batch:\n  pairs: 1\nbatch:\n  flip: 0.5\n", "line 3: batch stands here a second time"),
        ("batch: 3\nextends: base\n", "batch is a section"),
        ("batch:\nextends: base\n", "batch is a section"),
        ("seed: 1\n", "missing; add `extends: base`"),
        ("extends: nowhere.yaml\n", "nowhere.yaml can't be read (No such file"),
        ("extends: [base]\n", "expected the name of one .yaml file"),
        ("extends: bas\n", "there is no configuration bas (nearest: base)"),
        ("seed: !!python/object:os.system 1\nextends: base\n", "not valid YAML"),
        (
            "extends: base\nseed: [&a [x, x], &b [*a, *a], [*b, *b]]\n",
            "not valid YAML, line 2: write the value of *a out",
        ),
        ("&a {extends: base, data: *a}\n", "not valid YAML, line 1: write the value of *a out"),
        ("extends: base\nseed: \x07\n", "not valid YAML"),
        ("extends: base\nseed: " + "[" * 3_000, "in one another without end"),
        ("extends: base\nseed: " + "[" * 3_000 + "]" * 3_000, "in one another without end"),
        ("&a\nextends: base\ndata: *a\n", "not valid YAML, line 3: write the value of *a out"),
        ("extends: base\nseed: &a [*a]\n", "not valid YAML"),
        ("extends: base\nseed: " + "9" * 5000 + "\n", "line 2: seed is no value"),
        ("extends: base\nseed: !!int seven\n", "line 2: seed is no value"),
        ("extends: base\nseed: [" + "1, " * 5000 + "]\n", "line 2: seed is [1, 1, 1, 1, 1, 1, ...]: expected"),
        ("extends: base\nseed: " + "x" * 5000 + "\n", "line 2: seed is 'xxx"),
        ("extends: base\n" + "x" * 1000 + ": 1\n", "is longer than the name of any setting"),
        ("extends: base\nseed: !!timestamp noon\n", "line 2: seed is no value"),
        ('extends: "a\\0b.yaml"\n', "can't be the name of a file"),
        ("extends: " + "x" * 300 + ".yaml\n", "can't be the name of a file"),
        ('extends: base\ndata:\n  source: "a\\0b"\n', "expected text that can be a path"),
        ('extends: base\ndata:\n  source: "\\ud800"\n', "expected text that can be a path"),
    ],
)
def test_unusable_files(text: str, expected: str, tmp_path: Path) -> None:
    message = refusal(write(tmp_path, text))
    assert expected in message and len(message) < len(str(tmp_path)) + 300


def test_paths_that_are_no_text_file(tmp_path: Path) -> None:
    assert "can't be read" in refusal(tmp_path / "missing.yaml")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not a text file" in refusal(tmp_path / "binary.yaml")
    assert "there is no configuration tinny (nearest: tiny)" in refusal("tinny")


def test_files_that_extend_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, "extends: b.yaml\n", "a.yaml")
    write(tmp_path, "extends: a.yaml\n", "b.yaml")
    message = refusal(tmp_path / "a.yaml")
    assert "goes in a circle" in message and "a.yaml -> " in message and "b.yaml -> " in message


def test_files_that_extend_without_end_and_links_in_a_circle(tmp_path: Path) -> None:
    for number in range(60):
        write(tmp_path, f"extends: ./{number + 1}.yaml\n", f"{number}.yaml")
    assert "50 files stand in one chain of extends" in refusal(tmp_path / "0.yaml")
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    assert "can't be read (Too many levels of symbolic links)" in refusal(tmp_path / "a.yaml")


def test_a_pipe_and_a_book_are_no_configuration(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "is a pipe" in refusal(tmp_path / "pipe.yaml")
    assert "more than 262,144" in refusal(write(tmp_path, "# a comment\n" * (1 << 18)))


def test_to_dict_holds_plain_values(smoke_config: Config) -> None:
    tree = flat(to_dict(smoke_config))
    assert set(tree) == set(SETTINGS)
    assert {type(value) for value in tree.values()} == {bool, int, float, str, list}
