"""Alternate sampling: which prototype meets which style, in what order, with which labels and anchors."""

from itertools import product

import numpy as np
import pytest

from hicmd_tf.method.sampling import Form, Group, Parts, feature_groups, stack
from hicmd_tf.notation import INFRARED, MODALITIES, VISIBLE, Modality

LABELS, NEGATIVE_LABELS = np.array([3, 5]), {VISIBLE: np.array([7, 8]), INFRARED: np.array([9, 10])}

# Every source's parts carry a number of their own: prototypes 10 + row, 20 + row, ..; styles the same number negative.
NUMBERS: dict[tuple[str, Modality], int] = {
    pair: 10 * number for number, pair in enumerate(product(("real", "generated", "negatives"), MODALITIES), start=1)
}
Row = tuple[int, int, Modality | None]
WHOLE: list[Row] = [(10, 10, VISIBLE), (20, 20, INFRARED), (30, 30, VISIBLE), (40, 40, INFRARED)]
NEGATIVES: list[Row] = [(50, 50, None), (60, 60, None)]
MIXED: list[Row] = [
    (10, 30, VISIBLE),  # c_a with s'_a
    (30, 10, VISIBLE),  # c'_b with s_a
    (20, 40, INFRARED),  # c_b with s'_b
    (40, 20, INFRARED),  # c'_a with s_b
]
PAPER: list[Row] = [(p, s, anchors) for p, _, anchors in WHOLE for s, _, _ in WHOLE if p != s]
FORMS: dict[Form, list[Row]] = {
    "released": WHOLE + NEGATIVES + MIXED,
    "original": WHOLE[:2] + NEGATIVES,
    "paper": WHOLE + NEGATIVES + PAPER,
}


def parts(kind: str) -> dict[Modality, Parts]:
    marks = {m: (NUMBERS[kind, m] + np.arange(2, dtype="float32"))[:, None] for m in MODALITIES}
    return {m: Parts(np.repeat(mark, 3, axis=1), np.repeat(-mark, 2, axis=1)) for m, mark in marks.items()}


def groups(form: Form, negatives: bool = True) -> list[Group]:
    kinds = ("real", *(("generated",) if form != "original" else ()), *(("negatives",) if negatives else ()))
    return feature_groups(form, {kind: parts(kind) for kind in kinds}, LABELS, NEGATIVE_LABELS)


@pytest.mark.parametrize("negatives", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_groups_are_those_of_the_table_and_their_rows_show_one_person_each(form: Form, negatives: bool) -> None:
    """Row i's prototype and style are row i's of their sources, and so is the label."""
    found = groups(form, negatives)
    expected = [row for row in FORMS[form] if negatives or row not in NEGATIVES]
    assert [(int(g.prototype[0, 0]), int(-g.style[0, 0]), g.anchors) for g in found] == expected
    for group, (prototype, style, _) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(group.prototype[:, 0], [prototype, prototype + 1])
        np.testing.assert_array_equal(-group.style[:, 0], [style, style + 1])
        labels = {50: NEGATIVE_LABELS[VISIBLE], 60: NEGATIVE_LABELS[INFRARED]}.get(prototype, LABELS)
        np.testing.assert_array_equal(group.labels, labels)


def test_released_rows_are_twenty_with_eight_anchors_of_each_modality() -> None:
    rows = stack(groups("released"))
    np.testing.assert_array_equal(rows.labels, [3, 5] * 4 + [7, 8, 9, 10] + [3, 5] * 4)
    assert rows.anchors == {VISIBLE: (0, 1, 4, 5, 12, 13, 14, 15), INFRARED: (2, 3, 6, 7, 16, 17, 18, 19)}
    prototypes, styles = ([row[i] + place for row in FORMS["released"] for place in range(2)] for i in range(2))
    expected = np.column_stack([*[prototypes] * 3, *[np.negative(styles)] * 2])  # prototype first
    np.testing.assert_array_equal(rows.combined, expected)
