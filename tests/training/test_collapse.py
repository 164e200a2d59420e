"""What warns of a training that learns nothing, by losses that a training would log."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hicmd_tf.training.collapse import PATIENCE, Collapse

EVERY, CLASSES = 3, 6
SOUND = {"fake_score": 0.4, "real_score": 0.6, "alpha": 0.5, "active_triplets": 0.5, "cross_entropy": 1.0}


def watched(
    file: Path,
    losses: dict[str, float],
    steps: int,
    form: str = "least_squares",
    start: int = 0,
    method: str = "hicmd",
    triplet: float = 1.0,
) -> Any:
    """What is in the file after so many steps with these losses."""
    watch = Collapse(start, EVERY, file)
    settings = SimpleNamespace(method=method, losses=SimpleNamespace(adversarial_form=form, triplet=triplet))
    watch.set_model(SimpleNamespace(networks=SimpleNamespace(classes=CLASSES), settings=settings))
    for step in range(steps):
        sound = SOUND if method == "hicmd" else {name: SOUND[name] for name in ("active_triplets", "cross_entropy")}
        watch.on_train_batch_end(step, {**sound, **losses})
    return json.loads(file.read_text()) if file.exists() else {}


@pytest.mark.parametrize(
    ("sign", "losses", "form", "said"),
    [
        ("loss at chance", {"cross_entropy": math.log(CLASSES)}, "least_squares", "guessing among 6 identities"),
        ("alpha at a bound", {"alpha": 1.0}, "least_squares", "of the prototype alone, and the style teaches nothing"),
        ("alpha at a bound", {"alpha": 0.0}, "log", "of the style alone"),
        ("dead triplets", {"active_triplets": 0.0}, "least_squares", "0.0% of the triplets violate the margin"),
        ("discriminator wins", {"fake_score": 0.05, "real_score": 0.95}, "least_squares", "are never wrong"),
        ("discriminator wins", {"fake_score": -4.0, "real_score": 4.0}, "log", "are never wrong"),
    ],
)
def test_each_sign_is_warned_of_once(sign: str, losses: dict[str, float], form: str, said: str, tmp_path: Path) -> None:
    first = PATIENCE * EVERY if sign == "loss at chance" else EVERY
    with pytest.warns(UserWarning, match=said) as caught:
        found = watched(tmp_path / "w.json", losses, 2 * first, form)
    assert list(found) == [sign] and found[sign]["step"] == first and len(caught) == 1


def test_a_sound_training_is_warned_of_nothing(tmp_path: Path) -> None:
    assert watched(tmp_path / "w.json", {}, 2 * PATIENCE * EVERY) == {}


def test_embedding_networks_are_warned_of_by_their_own_settings(tmp_path: Path) -> None:
    losses = {"active_triplets": 0.0, "cross_entropy": 2.0}
    with pytest.warns(UserWarning, match=r"\(embedding\.people\)") as caught:
        found = watched(tmp_path / "w.json", losses, PATIENCE * EVERY, method="embedding")
    assert list(found) == ["dead triplets", "loss at chance"] and "change embedding.rate" in str(caught[-1].message)
    with pytest.warns(UserWarning, match="guessing among 6"):  # without a triplet loss none of it is dead
        assert list(watched(tmp_path / "v.json", losses, PATIENCE * EVERY, triplet=0.0)) == ["loss at chance"]


def test_a_resumed_training_forgets_what_it_comes_to_again(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text(json.dumps({"a": {"step": 3, "warning": "x"}, "b": {"step": 6, "warning": "y"}}))
    assert list(watched(file, {}, 0, start=4)) == ["a"]
