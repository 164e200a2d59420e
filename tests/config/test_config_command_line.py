"""The command line: every setting is an option, every mistake one line."""

from typing import Any

import pytest

from hicmd_tf.config import load
from hicmd_tf.config.command_line import parse
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.errors import UserError


def options(parser: Any) -> None:
    parser.add_argument("--run", required=True, metavar="DIR", help="where to")
    parser.add_argument("--resume", action="store_true", help="go on")


def run(*arguments: str) -> tuple[Any, Any]:
    return parse("hicmd fit", "Trains.", arguments, options)


def refusal(*arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        run("--run", "r", *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_options_it_is_the_base_configuration() -> None:
    config, given = run("--run", "r")
    assert config == load("base")
    assert (given.run, given.resume) == ("r", False)


def test_options_override_the_chosen_file_even_with_the_default_of_base() -> None:
    assert load("tiny").batch.pairs != load("base").batch.pairs
    config, given = run("--config", "tiny", "--batch.pairs", "2", "--losses.kl=0", "--run", "r", "--resume")
    assert config == load("tiny", {"batch.pairs": load("base").batch.pairs, "losses.kl": 0.0})
    assert given.resume


def test_a_short_name_stands_for_its_setting() -> None:
    short = {"steps": "training.steps"}
    config, _ = parse("hicmd fit", "Trains.", ["--run", "r", "--steps", "7"], options, short)
    assert config == load("base", {"training.steps": 7})
    both = ["--run", "r", "--steps", "7", "--training.steps"]
    assert parse("hicmd fit", "Trains.", [*both, "7"], options, short)[0] == config
    with pytest.raises(UserError, match=r"--steps 7 and --training\.steps 8 are one setting: give one of them"):
        parse("hicmd fit", "Trains.", [*both, "8"], options, short)
    for wrong in ("0", "x"):
        with pytest.raises(UserError, match="steps"):
            parse("hicmd fit", "Trains.", ["--run", "r", "--steps", wrong], options, short)


def test_every_kind_of_value_can_be_given() -> None:
    config, _ = run(
        *("--run", "r", "--optimisers.feature_rate", "1e-4", "--optimisers.nesterov", "false"),
        *("--networks.decoder.widths", "[32, 16]", "--losses.triplet_form", "euclidean", "--data.directory", "5"),
    )
    assert config.optimisers.feature_rate == 1e-4 and config.optimisers.nesterov is False
    assert config.networks.decoder.widths == [32, 16]
    assert config.losses.triplet_form == "euclidean" and config.data.directory == "5"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--batch.pairs", "x"], "command line: batch.pairs is 'x': expected a whole number"),
        (["--batch.pairs", "4.5"], "command line: batch.pairs is 4.5: expected a whole number"),
        (["--batch.pairs", "true"], "batch.pairs is True: expected a whole number"),
        (["--losses.margin", ".nan"], "command line: losses.margin is nan: expected a finite number, 0 or more"),
        (["--losses.same_style", "foo"], "losses.same_style is 'foo': expected swapped or own"),
        (
            ["--networks.decoder.widths", "[1, x]"],
            "networks.decoder.widths is [1, 'x']: expected a list of 2 whole numbers",
        ),
        (["--batch.pairs", "-4"], "command line: batch.pairs is -4: expected"),
        (["--batch.pair", "4"], "command line: there is no option --batch.pair (nearest: --batch.pairs)"),
        (["--resum"], "there is no option --resum (nearest: --resume)"),
        (["--batch", "{pairs: 3}"], "there is no option --batch"),
        (["--data.name"], "--data.name: expected one argument"),
        (["stray"], "stray"),
        (["--batch.pairs", "3", "--batch.pairs=3"], "command line: --batch.pairs is given twice: give it once"),
        (["--config", "tiny", "--config", "base"], "--config is given twice"),
        (["--config", "tinny"], "there is no configuration tinny (nearest: tiny)"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], expected: str) -> None:
    assert expected in refusal(*arguments)


def test_a_missing_option_of_the_command_is_named() -> None:
    with pytest.raises(UserError, match=r"^command line: .* required: --run"):
        run()


def test_help_lists_every_option_with_meaning_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert exit_.value.code == 0
    assert [key for key in SETTINGS if f"--{key} " not in text] == []
    assert "--resume go on" in text
    assert "visible-infrared pairs of different identities, for ID-PIG and HFL" in text
    assert "(row 5; released 2, paper 4) [default: 2]" in text
    assert text.count("[default: ") == len(SETTINGS)
