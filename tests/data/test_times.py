"""Moments as people write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.data.times import moment, shown

WHEN = datetime(2026, 11, 5, 8, 30, 12)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-05T08:30:12", "2026-11-05 08:30:12", "20261105T083012", "20261105_083012", "2026-11-05_08-30-12"),
        *("2026-11-05T08-30-12", "20261105-08.30.12", f"{WHEN.timestamp():.0f}", f"{WHEN.timestamp()}"),
        WHEN.astimezone(UTC).isoformat(),
    ],
)
def test_one_moment_has_many_spellings(text: str) -> None:
    assert moment(text) == WHEN.timestamp()
    assert shown(moment(text)) == "2026-11-05 08:30:12"


def test_a_day_is_its_first_moment_and_no_number_of_seconds() -> None:
    assert moment("20261105") == moment("2026-11-05") == datetime(2026, 11, 5).timestamp()
    assert moment("0") == 0 and moment("12.25") == 12.25


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "8:30", "2026-13-01", "2026-11-05T25:00", "-5", "nan", "1e5", "20261305", "²"),
        *("202611050830", "1762331412000", "9" * 40),
    ],
)
def test_what_is_no_time_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a time such as 2026-11-05T08:30:12 \(ISO 8601\), or seconds since"):
        moment(text)


@given(st.text(max_size=20))
def test_any_text_is_a_moment_that_can_be_shown_or_is_refused(text: str) -> None:
    try:
        found = moment(text)
    except ValueError:
        return
    assert isinstance(shown(found), str)
