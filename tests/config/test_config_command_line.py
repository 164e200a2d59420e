"""The command line: every setting is an option, every mistake one line; and --change."""

from typing import Any

import pytest

from hicmd_tf.config import load
from hicmd_tf.config.command_line import parse
from hicmd_tf.config.settings import CHANGEABLE, NO_FIGURE_DEPENDS_ON, SETTINGS, read_changes, why_fixed
from hicmd_tf.errors import UserError


def options(parser: Any) -> None:
    parser.add_argument("--run", required=True, metavar="DIR", help="where to")
    parser.add_argument("--resume", action="store_true", help="go on")


def run(*arguments: str) -> tuple[Any, Any]:
    return parse("hicmd fit", "Trains.", arguments, options, {"steps": "training.steps"})


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
    for more in ([], ["--training.steps", "7"]):
        assert run("--run", "r", "--steps", "7", *more)[0] == load("base", {"training.steps": 7})


def test_what_a_program_does_not_read_is_refused() -> None:
    reads = ("batch.", "training.precision")
    given = ["--batch.pairs", "2", "--training.precision", "mixed_bfloat16"]
    expected = load("base", {"batch.pairs": 2, "training.precision": "mixed_bfloat16"})
    assert parse("bench", "Measures.", given, reads=reads)[0] == expected
    with pytest.raises(
        UserError, match=r"^command line: --steps 7: nothing that bench does depends on it; leave it out"
    ):
        parse("bench", "Measures.", ["--steps", "7"], short={"steps": "training.steps"}, reads=reads)


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
        ("--batch.pairs x", "command line: batch.pairs is 'x': expected a whole number"),
        ("--steps 0", "command line: training.steps is '0': expected a whole number"),
        ("--losses.margin .nan", "command line: losses.margin is '.nan': expected a finite number, 0 or more"),
        ("--losses.same_style foo", "losses.same_style is 'foo': expected swapped or own"),
        ("--networks.decoder.widths [1,x]", "networks.decoder.widths is '[1,x]': expected a list of 2 whole"),
        ("--networks.decoder.widths [1,", "networks.decoder.widths is '[1,': expected a list of 2 whole numbers"),
        ("--config paper --losses.triplet_regulariser 2", "counts only where losses.triplet_form is cosine"),
        ("--config tiny --data.sixteen_bit 1%-99%", "is for pictures in files, and synthetic_vi is drawn"),
        (
            "--data.synthetic.spectrum thermal --data.synthetic.albedo_follows_lightness 0.5",
            "counts only where data.synthetic.spectrum is near_infrared",
        ),
        ("--batch.brightness -1", "expected an exponent of 2 from 0, which changes nothing, to 1"),
        ("--batch.pair 4", "command line: there is no option --batch.pair (nearest: --batch.pairs)"),
        ("--resum", "there is no option --resum (nearest: --resume)"),
        ("--batch {pairs:3}", "there is no option --batch"),
        ("--data.name", "--data.name: expected one argument"),
        ("stray", "stray"),
        ("--batch.pairs 3 --batch.pairs=3", "command line: --batch.pairs is given twice: give it once"),
        ("--config tiny --config base", "--config is given twice"),
        ("--config tinny", "there is no configuration tinny (nearest: tiny)"),
        ("--steps 7 --training.steps 8", "--steps 7 and --training.steps 8 are one setting: give one of them"),
        ("--data.name regdb", "data set regdb is read from one: name it with --data.source"),
        ("--data.source p", "command line: data.source is p: data.name is synthetic_vi, whose people are drawn"),
        (
            "--data.name folder --data.source s --data.test_identities 3",
            "data.test_identities is for synthetic_vi, which data.name is not: it is folder; leave",
        ),
        ("--data.name regdb --data.source s --data.synthetic.noise 3", "data.synthetic.noise is for synthetic_vi"),
        ("--data.name llcm --data.source s --data.validation_trains true", "validation_trains is for sysu_mm01"),
    ],
)
def test_mistakes_are_one_line(arguments: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        run("--run", "r", *arguments.split())
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_files_may_have_settings_of_another_data_set() -> None:
    config, _ = run("--run", "r", "--config", "tiny", "--data.name", "regdb", "--data.source", "s")
    assert config.data.name == "regdb"


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
    assert "[default: [32, 64, 64, 128]]" in text and text.count("[default: ") == len(SETTINGS)


def test_changes_have_their_settings_types() -> None:
    given = ["optimisers.generator_rate=1e-5", "losses.same=3", "optimisers.drop_every=400"]
    found = read_changes(given)
    assert found == {"optimisers.generator_rate": 1e-5, "losses.same": 3.0, "optimisers.drop_every": 400}
    assert [type(value) for value in found.values()] == [float, float, int]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("optimisers.generator_rate", "expected KEY=VALUE"),
        ("optimisers.generator_rat=1", r"no setting optimisers\.generator_rat \(nearest: optimisers\.generator_rate\)"),
        ("optimisers.generator_rate=fast", "expected a finite number above 0"),
        ("optimisers.generator_rate=", "expected a finite number above 0"),
        ("optimisers.drop_every=1.5", "expected a whole number"),
        ("losses.same=1 losses.same=2", "is given twice"),
        ("seed=3", "seed can't change while a run trains: batches are drawn"),
        ("batch.pairs=3", "batches are drawn"),
        ("networks.decoder.widths=[4,4]", "form of its networks"),
        ("training.steps=9", "made longer by --steps"),
        ("training.log_every=9", "give it as an option of its own"),
        ("data.source=x", "give it as an option of its own"),
        ("data.name=regdb", "judged by other pictures"),
        ("losses.triplet_form=euclidean", "what was computed so far depends on it"),
        ("method=embedding", "another method"),
        ("optimisers.beta_1=0.9", "moments so far"),
        ("embedding.people=2", "people can't change while a run trains: batches are drawn"),
        ("embedding.stem=two", "form of its networks"),
        ("embedding.optimiser=sgd", "moments so far"),
        ("embedding.mirrored=false", "what was computed so far"),
    ],
)
def test_what_cannot_change_is_one_line_with_the_reason(given: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_changes(given.split())


def test_every_setting_may_change_one_way_or_there_is_a_reason() -> None:
    assert not set(CHANGEABLE) & set(NO_FIGURE_DEPENDS_ON)
    assert all(why_fixed(key) for key in SETTINGS if key not in CHANGEABLE)
