"""What warns of a training that learns nothing, by losses that a training would log."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.training.collapse import PATIENCE, Collapse

EVERY, CLASSES = 3, 6
SOUND = {"fake_score": 0.4, "real_score": 0.6, "alpha": 0.5, "active_triplets": 0.5, "cross_entropy": 1.0}
SIGNS: dict[str, tuple[dict[str, float], str, str]] = {
    "loss at chance": ({"cross_entropy": math.log(CLASSES)}, "least_squares", "guessing among 6 identities"),
    "alpha at a bound": ({"alpha": 1.0}, "least_squares", "of the prototype alone, and the style teaches nothing"),
    "dead triplets": ({"active_triplets": 0.0}, "least_squares", "0.0% of the triplets violate the margin"),
    "discriminator wins": ({"fake_score": 0.05, "real_score": 0.95}, "least_squares", "are never wrong"),
}


def watched(file: Path, losses: dict[str, float], steps: int, form: str = "least_squares", start: int = 0) -> Any:
    """What is in the file after so many steps with these losses."""
    watch = Collapse(start, EVERY, file)
    losses_config = SimpleNamespace(adversarial_form=form)
    head = SimpleNamespace(sizes={"classes": CLASSES})
    watch.set_model(
        SimpleNamespace(features=SimpleNamespace(head=head), settings=SimpleNamespace(losses=losses_config))
    )
    watch.on_train_begin()
    for step in range(steps):
        watch.on_train_batch_end(step, {**SOUND, **losses})
    return json.loads(file.read_text()) if file.exists() else {}


@pytest.mark.parametrize("sign", SIGNS)
def test_each_sign_is_warned_of_once(sign: str, tmp_path: Path) -> None:
    losses, form, said = SIGNS[sign]
    first = PATIENCE * EVERY if sign == "loss at chance" else EVERY
    with pytest.warns(UserWarning, match=said) as caught:
        found = watched(tmp_path / "w.json", losses, 2 * first, form)
    assert list(found) == [sign] and found[sign]["step"] == first and len(caught) == 1


@pytest.mark.parametrize(
    ("losses", "said"),
    [({"alpha": 0.0}, "of the style alone"), ({"fake_score": -4.0, "real_score": 4.0}, "are never wrong")],
)
def test_the_other_bound_of_alpha_and_the_log_form(losses: dict[str, float], said: str, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=said):
        watched(tmp_path / "w.json", losses, EVERY, "log")


def test_a_sound_training_is_warned_of_nothing(tmp_path: Path) -> None:
    assert watched(tmp_path / "w.json", {}, 2 * PATIENCE * EVERY) == {}


def test_a_resumed_training_forgets_what_it_comes_to_again(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text(json.dumps({"a": {"step": 3, "warning": "x"}, "b": {"step": 6, "warning": "y"}}))
    assert list(watched(file, {}, 0, start=4)) == ["a"]


@pytest.mark.parametrize("content", ["[]", '{"a": 1}', '{"a": {}}', '{"a": {"step": "x"}}'])
def test_warnings_of_another_form_are_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(content)
    with pytest.raises(UserError, match=r"w\.json is not what training writes"):
        Collapse(4, EVERY, tmp_path / "w.json")
