"""Which options of a command go together: every pair of them, by the table in the docs."""

import importlib
import itertools
from pathlib import Path

import pytest

from hicmd_tf.arguments import Parser, Way
from hicmd_tf.commands import evaluate
from hicmd_tf.config import dump, load
from hicmd_tf.errors import UserError

TABLE = (Path(__file__).parents[1] / "docs" / "options.md").read_text().splitlines()
ALWAYS = {"evaluate": "", "extract": "--out", "convert": "a b"}
"""What each call of a command has, whichever row of the table it is."""
FLAGS = ("--rerank", "--allow-trained", "--to-torch", "--again", "--strict")
VALUES = {
    "--data": "regdb",
    "--modality": "visible",
    "--false-accept-rate": "0.01",
    "--pool": "best",
    "--device": "cpu",
    "--engine": "ray",
}
"""What to type after an option that does not take the number 1."""


def rows(command: str) -> list[list[list[str]]]:
    """The table's lines of a command: by which option it is chosen, what it needs, what it takes."""
    lines = [line.strip("|").split("|") for line in TABLE if line.startswith(f"| {command} |")]
    return [[cell.split() for cell in cells] for _, *cells in lines]


def typed(words: str | list[str]) -> list[str]:
    words = words.split() if isinstance(words, str) else words
    with_values = [word for word in words if word.startswith("--") and word not in FLAGS]
    given = {word: [word, VALUES.get(word, "1")] if word in with_values else [word] for word in words}
    return [part for parts in given.values() for part in parts]


def parser_of(command: str) -> Parser:
    return importlib.import_module(f"hicmd_tf.commands.{command}")._parser()


@pytest.mark.parametrize("command", ALWAYS)
def test_every_pair_of_options_is_taken_or_refused_as_the_docs_say(command: str) -> None:
    parser, always, table = parser_of(command), ALWAYS[command].split(), rows(command)
    options = [action.option_strings[0] for action in parser._actions if action.option_strings[:1] not in ([], ["-h"])]
    named = {option for row in table for cell in row for option in cell}
    assert len(table) == sum(map(len, parser.groups)) and named <= set(options)
    groups = [[table.pop(0) for _ in ways] for ways in parser.groups]
    for chosen in itertools.product(*groups):  # a row of each group
        by, needs, takes = ([option for row in chosen for option in row[cell]] for cell in range(3))
        least = [*always, *by, *needs]
        free = set(options) - named  # which go with everything
        others = [option for option in options if option != "--to-torch" or option in by]  # another way
        others = [option for option in others if option != "--engine" or option in by]
        for pair in itertools.combinations_with_replacement(others, 2):
            if {*least, *takes, *free}.issuperset(pair):
                parser.parse_args(typed([*least, *pair]))
            else:
                with pytest.raises(UserError, match=r"^command line: --\S+ (and --\S+ )*(does not|don't) go"):
                    parser.parse_args(typed([*least, *pair]))


@pytest.mark.parametrize(
    ("command", "given", "said"),
    [
        ("evaluate", "", "give one of --run or --model or --descriptors"),
        ("evaluate", "--rerank", "give one of --run"),
        ("evaluate", "--run --descriptors --data", "--run and --descriptors don't go together"),
        ("evaluate", "--descriptors", "--descriptors needs --data"),
        (
            "evaluate",
            "--descriptors --data --source",
            "--source does not go with --descriptors: it goes with --run or ",
        ),
        ("extract", "--run --out", "give one of --images or --data"),
        ("extract", "--out --images", "give one of --run or --model"),
        ("extract", "--out --images --run --model", "--run and --model don't go together: give one of them"),
        ("extract", "--out --images --run --workers", "--workers does not go with this call: it goes with --engine"),
        ("extract", "--run --out --data", "--data needs --source"),
        ("extract", "--run --out --images --trial", "--trial does not go with --images: it goes with --data"),
        (
            "convert",
            "a b --to-torch --config",
            "--config does not go with --to-torch: it goes with a call without --to-",
        ),
    ],
)
def test_a_refusal_says_what_goes_with_what(command: str, given: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parser_of(command).parse_args(typed(given))


def test_a_default_value_that_is_typed_is_given() -> None:
    parser = Parser("c", [Way("--a", takes=("--n",)), Way("--b")])
    for name in ("--a", "--b"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--n", type=int, default=1)
    parser.add_argument("--both")
    assert parser.parse_args(["--b", "--both", "x"]).n == 1
    with pytest.raises(UserError, match="--n does not go with --b: it goes with --a"):
        parser.parse_args(["--b", "--n", "1"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--permutations", "x"], "--permutations are SYSU-MM01's: synthetic_vi has none"),
        (["--data", "regdb", "--source", "x", "--permutations", "x"], "regdb has none"),
        (["--source", "x"], r"data\.source is x: data\.name is synthetic_vi, whose people are drawn"),
        (
            ["--data", "regdb"],
            "no folder of pictures is named, and data set regdb is read from one: name it with --source$",
        ),
        (["--data", "llcm", "--source", "x", "--trial", "2"], r"data\.trial is 2: llcm has one split"),
        (["--trial", "11"], r"data\.trial is 11: expected a split from 1 to 10"),
    ],
)
def test_what_a_data_set_has_not_is_refused_before_anything_is_computed(
    given: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(dump(load("tiny")))
    with pytest.raises(UserError, match=said):
        evaluate.main(["--run", str(tmp_path), *given])


def test_permutations_are_no_descriptors_data_set_s_but_one() -> None:
    for data in ("regdb", "llcm", "folder", "synthetic_vi"):
        with pytest.raises(UserError, match=f"--permutations are SYSU-MM01's: {data} has none"):
            evaluate.main(["--descriptors", "x.npz", "--data", data, "--permutations", "x"])
