"""P x K batches: who is in them, how often, and how pictures are changed."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_batches import EACH, PEOPLE, SAMPLES, drawn

from hicmd_tf.config import Config, load
from hicmd_tf.data.batches import DETAILS, GREY, RED, UNCHANGED, Share, batches, divided
from hicmd_tf.data.identity_batches import IdentityPlanner, infrared_channels
from hicmd_tf.errors import UserError
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE

BASE = load("base", {"method": "embedding", "data.height": 8, "data.width": 4, "batch.pad": 2})


NOTHING: dict[str, float] = {}


def configured(**sizes: object) -> Config:
    return dataclasses.replace(BASE, embedding=dataclasses.replace(BASE.embedding, **sizes))


def planner(seed: int = 5, changes: dict[str, float] = NOTHING, **sizes: object) -> IdentityPlanner:
    config = dataclasses.replace(configured(**{"people": 3, "pictures": 2, **sizes}), seed=seed)
    return IdentityPlanner(SAMPLES, dataclasses.replace(config, batch=dataclasses.replace(config.batch, **changes)))


@settings(max_examples=30)
@given(
    step=st.integers(0, 10**6),
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(1, PEOPLE),
    pictures=st.integers(1, 2 * EACH + 1),
    exchanged=st.booleans(),
)
def test_a_batch_has_p_people_and_k_pictures_of_each_modality(
    step: int, seed: int, people: int, pictures: int, exchanged: bool
) -> None:
    """Everyone as often, a picture again only when all of the person's were there; each view once."""
    channels = "exchange" if exchanged else "none"
    plan = planner(seed, people=people, pictures=pictures, channels=channels).plan(step)
    of_modality = {}
    for m in MODALITIES:
        views = 2 if exchanged and m == VISIBLE else 1
        rows = plan.rows[m].reshape(people, views, pictures)  # person by person, view by view
        labels = plan.labels[m].reshape(people, views, pictures)
        assert (SAMPLES.infrared[rows] == (m == INFRARED)).all()
        np.testing.assert_array_equal(SAMPLES.identities[rows], 100 + 10 * labels)
        assert (rows == rows[:, :1]).all()
        for of_person in rows[:, 0].tolist():
            often = Counter(of_person)
            assert len(often) == min(pictures, EACH) and max(often.values()) - min(often.values()) <= 1
        of_modality[m] = labels[:, 0, 0]
        assert len(set(of_modality[m].tolist())) == people
        shifts, boxes = plan.details["shifts"][m], plan.erasing[m]
        assert shifts.shape == (rows.size, 2) and boxes.shape == (rows.size, 4) and abs(shifts).max() <= 2
    np.testing.assert_array_equal(of_modality[VISIBLE], of_modality[INFRARED])


def test_views_of_visible_pictures_have_the_channels_that_are_configured() -> None:
    for channels, allowed in (("exchange", {1, 2, 3}), ("exchange_or_grey", {1, 2, 3, 4})):
        plans = [planner(channels=channels).plan(step) for step in range(40)]
        views = np.stack([plan.details["channels"][VISIBLE].reshape(3, 2, 2) for plan in plans])
        assert (views[:, :, 0] == UNCHANGED).all() and set(views[:, :, 1].ravel().tolist()) == allowed
    untouched = planner(channels="none").plan(0).details["channels"]
    assert all((untouched[m] == UNCHANGED).all() for m in MODALITIES)


def test_infrared_channels_have_the_shares_of_the_recipe() -> None:
    """R, G and B one in four each, the rest half grey and half unchanged: within four deviations."""
    count = 40_000
    drawn_channels = infrared_channels(np.random.default_rng(0), (count,))
    shares = np.bincount(drawn_channels, minlength=5) / count
    for channel, expected in ((UNCHANGED, 1 / 8), (RED, 1 / 4), (2, 1 / 4), (3, 1 / 4), (GREY, 1 / 8)):
        assert abs(shares[channel] - expected) < 4 * (expected * (1 - expected) / count) ** 0.5


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    whole = list(batches(planner(), SAMPLES, 0, 6))
    resumed = list(batches(planner(), SAMPLES, 4, 6))
    other = next(iter(batches(planner(seed=6), SAMPLES, 4, 5)))
    np.testing.assert_equal(whole[4:], resumed)
    assert not np.array_equal(whole[4][VISIBLE], other[VISIBLE])


def test_each_view_is_changed_by_itself_and_what_is_off_draws_nothing() -> None:
    """A visible picture comes twice."""
    whole = planner(changes={"brightness": 0.5, "blur": 0.5}).plan(4)
    plain = planner().plan(4)
    assert [*whole.details] == ["shifts", "brightness", "blur", "channels"]
    kept = {kind: whole.details[kind] for kind in plain.details}
    np.testing.assert_equal(whole._replace(details=kept), plain)
    assert whole.details["brightness"][VISIBLE].shape == (12, 2) and whole.details["blur"][INFRARED].shape == (6,)
    assert len(np.unique(whole.details["brightness"][VISIBLE])) == 24
    np.testing.assert_equal(planner(changes={"pad": 0}).plan(4), plain._replace(details={"channels": kept["channels"]}))


def test_batches_have_every_part_and_shares_divide_them() -> None:
    """As devices and workers take them: consecutive people, all identities."""
    batch = next(iter(batches(planner(people=4), SAMPLES, 1, 2)))
    assert batch[VISIBLE].shape == (16, 8, 4, 3) and batch[INFRARED].shape == (8, 8, 4, 3)
    assert {*DETAILS} < {*batch} and {f"{m}_identities" for m in MODALITIES} < {*batch}
    parts = divided(batch, 2)
    of_workers = [next(iter(batches(planner(people=4), SAMPLES, 1, 2, Share(index, 2)))) for index in range(2)]
    for part, of_worker in zip(parts, of_workers, strict=True):
        np.testing.assert_equal(part, of_worker)
    for name in MODALITIES:
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), batch[name])
        for kind in DETAILS:
            np.testing.assert_array_equal(np.concatenate([part[kind][name] for part in parts]), batch[kind][name])


def test_too_few_people_are_refused_with_what_fits() -> None:
    with pytest.raises(UserError, match=r"needs as many training identities, there are 9: give --embedding\.people 9"):
        planner(people=10)
    lonely = drawn()[0].select(np.flatnonzero(~((SAMPLES.identities == 120) & SAMPLES.infrared)))
    with pytest.raises(UserError, match="identity 120 has no infrared picture"):
        IdentityPlanner(lonely, configured(people=3))
