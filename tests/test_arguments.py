"""Command lines without a configuration: one line for a mistake, and numbers within reason."""

import argparse
from pathlib import Path

import pytest

from hicmd_tf.arguments import Parser, count, port, positive, seconds, time_limit
from hicmd_tf.errors import UserError


def parser() -> Parser:
    made = Parser("command", description="Does.")
    made.add_argument("--run", required=True, type=Path)
    made.add_argument("--images", metavar="PATH")
    made.add_argument("--trial", type=int)
    made.add_argument("--share", type=float)
    made.add_argument("--port", type=port)
    made.add_argument("--data", choices=["regdb", "llcm"])
    return made


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([], "the following arguments are required: --run"),
        (["--run", "r", "--trial", "first"], "--trial: 'first' is no whole number"),
        (["--run", "r", "--share", "half"], "--share: 'half' is not a number"),
        (["--run", "r", "--port", "70000"], "--port: '70000' is no port, expected 0 to 65535"),
        (["--run", "r", "--port", "http"], "--port: 'http' is no port, expected 0 to 65535"),
        (["--run", "r", "--data", "regbd"], "--data: 'regbd' is none of regdb, llcm (nearest: regdb)"),
        (["--runs", "x"], "there is no option --runs (nearest: --run)"),
        (["--run", "r", "--tri", "1"], "there is no option --tri (nearest: --trial)"),
        (["--run", "r", "--xyz=1"], "there is no option --xyz;"),
        (["--run", "r", "--draw", "1"], "there is no option --draw;"),
        (["--run", "a", "--data", "llcm", "a"], "--data takes one DATA, and 'a' is left over"),
        (["more", "--run", "r"], "nothing takes 'more': leave it out"),
        (["--run", "r", "-x"], "nothing takes '-x': leave it out"),
        (
            ["--run", "r", "more"],
            "--run takes one RUN, and 'more' is left over: leave it out, or give the command for each",
        ),
        (["--run", "a\0b"], "--run: 'a\\x00b' can't be the name of a file or folder"),
        (["--run", ""], "--run: '' can't be the name of a file or folder"),
        (["--run", "r", "--images="], "--images: '' can't be the name of a file or folder"),
        (["--run", "\ud800"], "--run: '\\ud800' can't be the name of a file or folder"),
        (["--run", f"/tmp/{'n' * 256}"], "--run: '/tmp/nnnn"),
        (["--run", "n/" * 2048], "--run: 'n/n/n"),
        (["--run", "r", "--share", "nan"], "--share: 'nan' is not a number"),
        (["--run", "r", "--trial", "9" * 30], "--trial: '999"),
        (["--run"], "--run: expected one argument"),
        (["--run", "r", "--run", "r"], "--run is given twice: give it once"),
        (["--run", "r", "--trial=1", "--trial", "2"], "--trial is given twice: give it once"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(typed: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        parser().parse_args(typed)
    line = str(refused.value)
    assert line.startswith(f"command line: {said}") and line.endswith("; --help lists all options")


def test_the_commands_of_a_command_say_their_mistakes_likewise() -> None:
    made = Parser("command")
    below = made.add_subparsers(required=True, metavar="COMMAND")
    query, _ = below.add_parser("query"), below.add_parser("info")
    query.add_argument("-k", type=positive)
    query.add_argument("--draw")
    for typed, said in (
        (["query", "-k", "0"], "-k: '0' is not a count, expected a whole number from 1 on"),
        (["qery"], r"COMMAND: 'qery' is none of query, info \(nearest: query\)"),
        (["query", "--drow", "x"], r"there is no option --drow \(nearest: --draw\)"),
        (["query", "--draw", "x", "--draw", "y"], "--draw is given twice"),
        (["query", "--draw", "x", "y"], "--draw takes one DRAW, and 'y' is left over"),
        (["info", "--drow", "x"], "there is no option --drow;"),  # the other command has one like it
    ):
        with pytest.raises(UserError, match=said):
            made.parse_args(typed)


@pytest.mark.parametrize("kind", [port, count, positive, seconds, time_limit])
def test_numbers_of_options_are_numbers_within_reason(kind: object) -> None:
    assert callable(kind) and kind("1") == 1
    for text in ("", "-1", "nan", "inf", "1e400", "9" * 5000, "\0", "one"):
        with pytest.raises(argparse.ArgumentTypeError, match="is no"):
            kind(text)
    for reader, lowest in ((port, "0"), (port, "65535"), (count, "0"), (seconds, "0")):
        assert reader(lowest) == int(lowest)
    for reader in (positive, time_limit):
        with pytest.raises(argparse.ArgumentTypeError):
            reader("0")
