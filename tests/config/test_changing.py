"""Which settings may be others when a run goes on, and how --change is read."""

import pytest

from hicmd_tf.config.changing import CHANGEABLE, NO_FIGURE_DEPENDS_ON, read_changes, why_fixed
from hicmd_tf.config.settings import SETTINGS
from hicmd_tf.errors import UserError


def test_values_have_their_settings_types() -> None:
    given = ["optimisers.generator_rate=1e-5", "losses.same=3", "optimisers.drop_every=400"]
    found = read_changes(given)
    assert found == {"optimisers.generator_rate": 1e-5, "losses.same": 3.0, "optimisers.drop_every": 400}
    assert [type(value) for value in found.values()] == [float, float, int]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["optimisers.generator_rate"], "expected KEY=VALUE"),
        (
            ["optimisers.generator_rat=1"],
            r"no setting optimisers\.generator_rat \(nearest: optimisers\.generator_rate\)",
        ),
        (["optimisers.generator_rate=fast"], "expected a finite number above 0"),
        (["optimisers.generator_rate="], "expected a finite number above 0"),
        (["optimisers.drop_every=1.5"], "expected a whole number"),
        (["losses.same=1", "losses.same=2"], "is given twice"),
        (["seed=3"], "seed can't change while a run trains: batches are drawn"),
        (["batch.pairs=3"], "batches are drawn"),
        (["networks.decoder.widths=[4, 4]"], "form of its networks"),
        (["training.steps=9"], "made longer by --steps"),
        (["training.log_every=9"], "give it as an option of its own"),
        (["data.source=x"], "give it as an option of its own"),
        (["data.name=regdb"], "judged by other pictures"),
        (["losses.triplet_form=euclidean"], "another method"),
        (["optimisers.beta_1=0.9"], "moments so far"),
    ],
)
def test_what_cannot_change_is_one_line_with_the_reason(given: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_changes(given)


def test_every_setting_may_change_one_way_or_there_is_a_reason() -> None:
    assert not set(CHANGEABLE) & set(NO_FIGURE_DEPENDS_ON)
    assert all(why_fixed(key) for key in SETTINGS if key not in CHANGEABLE)
