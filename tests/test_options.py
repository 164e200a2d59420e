"""Which options of a command go together: every pair of them, and the table in the docs."""

import importlib
import itertools
from pathlib import Path

import pytest

from hicmd_tf.arguments import Parser, Way
from hicmd_tf.commands import evaluate
from hicmd_tf.config import dump, load
from hicmd_tf.errors import UserError

OPTIONS = Path(__file__).parents[1] / "docs" / "options.md"

VALUES = {
    **{
        name: ["x"] for name in ("--run", "--model", "--descriptors", "--source", "--permutations", "--out", "--images")
    },
    **{"--data": ["regdb"], "--trial": ["1"], "--modality": ["visible"], "--pattern": ["a"]},
    **{"--iteration": ["3"], "--config": ["tiny"]},
}
"""What to type after an option; nothing after others."""

FROM_A_MODEL = "--data --source --trial --pattern --permutations --rerank --allow-trained --out"
EVALUATE = {
    "--run": FROM_A_MODEL,
    "--model": FROM_A_MODEL,
    "--descriptors --data": "--data --permutations --rerank --out",
}
EXTRACT = {
    "--run --out --images": "--run --out --modality --pattern",
    "--run --out --data --source": "--run --out --source --trial --pattern",
}
CONVERT = {"a b": "--iteration --config", "a b --to-torch": ""}
COMMANDS = {
    "evaluate": ("hicmd_tf.commands.evaluate", EVALUATE),
    "extract": ("hicmd_tf.commands.extract", EXTRACT),
    "convert": ("hicmd_tf.commands.convert", CONVERT),
}


def typed(words: str | list[str]) -> list[str]:
    words = words.split() if isinstance(words, str) else words
    return [part for word in dict.fromkeys(words) for part in (word, *VALUES.get(word, []))]


def parser_of(command: str) -> Parser:
    return importlib.import_module(COMMANDS[command][0])._parser()


def options_of(parser: Parser) -> list[str]:
    return [action.option_strings[0] for action in parser._actions if action.option_strings[:1] not in ([], ["-h"])]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_pair_of_options_is_taken_or_refused(command: str) -> None:
    parser, allowed = parser_of(command), COMMANDS[command][1]
    for way, takes in allowed.items():
        assert parser.parse_args(typed(way))
        good = {*way.split(), *takes.split()}
        others = [option for option in options_of(parser) if option != "--to-torch" or option in good]  # another way
        for pair in itertools.combinations_with_replacement(others, 2):
            if good.issuperset(pair):
                parser.parse_args(typed([*way.split(), *pair]))
            else:
                with pytest.raises(UserError, match=r"^command line: --\S+ (and --\S+ )*(does not|don't) go"):
                    parser.parse_args(typed([*way.split(), *pair]))


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


@pytest.mark.parametrize("command", COMMANDS)
def test_ways_name_options_that_there_are_and_the_docs_have_them(command: str) -> None:
    module = importlib.import_module(COMMANDS[command][0])
    known = {*options_of(module._parser()), ""}
    lines = OPTIONS.read_text().splitlines()
    for way in module.WAYS:
        assert way.uses <= known
        cells = f"{way.by} " if way.by else "", " ".join(way.needs), " ".join(way.takes)
        assert f"| {command} | {cells[0]}| {cells[1]} | {cells[2]} |" in lines
    assert sum(line.startswith(f"| {command} |") for line in lines) == len(module.WAYS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--permutations", "x"], "--permutations are SYSU-MM01's: synthetic_vi has none"),
        (["--data", "regdb", "--source", "x", "--permutations", "x"], "regdb has none"),
        (["--source", "x"], r"data\.source is x: data\.name is synthetic_vi, whose people are drawn"),
        (["--data", "regdb"], r"data\.source is '': regdb is read from a folder"),
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
