"""Alternate sampling: which prototype meets which style, in what order, with which labels and anchors."""

from typing import Any

import numpy as np
import pytest

from hicmd_tf.method.sampling import Form, Group, Parts, Rows, feature_groups, stack
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

Array = np.ndarray[Any, Any]
LABELS, NEGATIVE_LABELS = np.array([3, 5]), {VISIBLE: np.array([7, 8]), INFRARED: np.array([9, 10])}

# Every source's parts carry a number that tells it: prototypes 10 + row, 20 + row, ..; styles the same number negative.
NUMBERS: dict[tuple[str, Modality], int] = {
    ("real", VISIBLE): 10,
    ("real", INFRARED): 20,
    ("generated", VISIBLE): 30,
    ("generated", INFRARED): 40,
    ("negative", VISIBLE): 50,
    ("negative", INFRARED): 60,
}


def parts(kind: str, modality: Modality, rows: int = 2) -> Parts:
    marks = (NUMBERS[kind, modality] + np.arange(rows, dtype="float32"))[:, None]
    return Parts(np.repeat(marks, 3, axis=1), np.repeat(-marks, 2, axis=1))


def groups(form: Form, negatives: bool = True, pairs: int = 2) -> list[Group]:
    return feature_groups(
        form,
        {m: parts("real", m, pairs) for m in MODALITIES},
        {m: parts("generated", m, pairs) for m in MODALITIES},
        {m: parts("negative", m) for m in MODALITIES} if negatives else {},
        np.arange(pairs) if pairs != 2 else LABELS,
        NEGATIVE_LABELS if negatives else {},
    )


def pairing(group: Group) -> tuple[int, int]:
    """Which source the prototype and which the style comes from."""
    return int(group.prototype[0, 0]), int(-group.style[0, 0])


def table(form: Form, negatives: bool = True) -> list[tuple[int, int, Modality | None]]:
    return [(*pairing(group), group.anchors) for group in groups(form, negatives)]


WHOLE: list[tuple[int, int, Modality | None]] = [
    (10, 10, VISIBLE),
    (20, 20, INFRARED),
    (30, 30, VISIBLE),
    (40, 40, INFRARED),
]
NEGATIVES: list[tuple[int, int, Modality | None]] = [(50, 50, None), (60, 60, None)]
MIXED: list[tuple[int, int, Modality | None]] = [
    (10, 30, VISIBLE),  # c_a with s'_a
    (30, 10, VISIBLE),  # c'_b with s_a
    (20, 40, INFRARED),  # c_b with s'_b
    (40, 20, INFRARED),  # c'_a with s_b
]


def test_released_groups_follow_the_table() -> None:
    assert table("released") == WHOLE + NEGATIVES + MIXED


def test_original_sees_no_generated_picture() -> None:
    assert table("original") == WHOLE[:2] + NEGATIVES


def test_paper_pairs_every_prototype_with_every_style_once() -> None:
    got = table("paper")
    assert got[:6] == WHOLE + NEGATIVES
    combinations = [row for row in got if row not in NEGATIVES]
    sources = (10, 20, 30, 40)
    assert sorted(row[:2] for row in combinations) == [(p, s) for p in sources for s in sources]
    modality = {10: VISIBLE, 20: INFRARED, 30: VISIBLE, 40: INFRARED}
    assert all(anchors == modality[prototype] for prototype, _, anchors in combinations)


@pytest.mark.parametrize("form", ["released", "paper", "original"])
def test_rows_of_a_group_show_one_person_each(form: Form) -> None:
    """Row i's prototype and style are row i's of their sources, and so is the label."""
    for group in groups(form):
        prototype, style = pairing(group)
        np.testing.assert_array_equal(group.prototype[:, 0], [prototype, prototype + 1])
        np.testing.assert_array_equal(-group.style[:, 0], [style, style + 1])
        expected = {50: NEGATIVE_LABELS[VISIBLE], 60: NEGATIVE_LABELS[INFRARED]}.get(prototype, LABELS)
        np.testing.assert_array_equal(group.labels, expected)


@pytest.mark.parametrize(("form", "without"), [("released", 8), ("paper", 16), ("original", 2)])
def test_negatives_may_be_missing(form: Form, without: int) -> None:
    assert table(form, negatives=False) == [row for row in table(form) if row not in NEGATIVES]
    assert len(table(form, negatives=False)) == without


def stacked(form: Form, **sizes: Any) -> tuple[Rows, list[Group]]:
    made = groups(form, **sizes)
    return stack(made), made


def test_released_rows_are_twenty_with_eight_anchors_of_each_modality() -> None:
    rows, _ = stacked("released")
    assert tuple(rows.combined.shape) == (20, 5)
    np.testing.assert_array_equal(rows.labels, [3, 5] * 4 + [7, 8, 9, 10] + [3, 5] * 4)
    assert rows.anchors == {
        VISIBLE: (0, 1, 4, 5, 12, 13, 14, 15),
        INFRARED: (2, 3, 6, 7, 16, 17, 18, 19),
    }


@pytest.mark.parametrize("form", ["released", "paper", "original"])
@pytest.mark.parametrize("negatives", [True, False])
@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_stack_keeps_groups_in_order_prototype_first(form: Form, negatives: bool, pairs: int) -> None:
    rows, made = stacked(form, negatives=negatives, pairs=pairs)
    owners: list[Modality | None] = []
    expected = []
    for group in made:
        for prototype, style in zip(group.prototype, group.style, strict=True):
            expected.append(np.concatenate([prototype, style]))
            owners.append(group.anchors)
    np.testing.assert_array_equal(rows.combined, expected)
    np.testing.assert_array_equal(rows.labels, np.concatenate([group.labels for group in made]))
    for modality in MODALITIES:
        assert rows.anchors[modality] == tuple(i for i, owner in enumerate(owners) if owner == modality)
