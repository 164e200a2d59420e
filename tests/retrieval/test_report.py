"""Figures that a run wrote before are believed only when they are figures."""

from pathlib import Path
from typing import Any

import pytest

from hicmd_tf.errors import UserError
from hicmd_tf.files import write_json
from hicmd_tf.retrieval.report import COLUMNS, read_scores, table

WHOLE = {"visible_to_infrared": dict.fromkeys(COLUMNS, 0.5)}


def test_what_was_written_makes_a_table(tmp_path: Path) -> None:
    write_json(tmp_path / "untrained.json", WHOLE)
    found = read_scores(tmp_path / "untrained.json", WHOLE)
    assert found == WHOLE and "50.00" in table({"untrained": found})


@pytest.mark.parametrize(
    "found", [[], 7, {}, {"visible_to_infrared": []}, {"visible_to_infrared": {"rank1": 0.5}}, None]
)
def test_anything_else_is_one_line(found: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "untrained.json", found)
    with pytest.raises(UserError, match=r"untrained\.json has other figures"):
        read_scores(tmp_path / "untrained.json", WHOLE)


@pytest.mark.parametrize("figure", ["x", None, [0.5]])
def test_a_figure_that_is_no_number_is_one_line(figure: Any, tmp_path: Path) -> None:
    test_anything_else_is_one_line({"visible_to_infrared": WHOLE["visible_to_infrared"] | {"mAP": figure}}, tmp_path)
