"""Names of people and cameras are the same numbers everywhere, and keep their texts."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.data import labels
from hicmd_tf.data.labels import HASHED, UNKNOWN
from hicmd_tf.data.samples import Samples
from hicmd_tf.errors import UserError

NAMES = st.text(min_size=1)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("0012", 12),
        (" 12 ", 12),
        ("anna ", 2_825_251_254_457_584),
        ("999999999999", 999_999_999_999),
        ("-1", UNKNOWN),
        ("-7", UNKNOWN),
        ("unknown", UNKNOWN),
        ("Unknown", UNKNOWN),
        # Stored in people's files: these never change.
        ("anna", 2_825_251_254_457_584),
        ("192.168.1.64", 690_437_052_282_696),
        ("12345678901234567890123", 1_908_075_948_324_778),
    ],
)
def test_numbers_of_names(text: str, number: int) -> None:
    assert labels.number(text) == number


@given(NAMES)
def test_every_name_has_a_number_that_any_file_holds(text: str) -> None:
    number = labels.number(text)
    assert number == UNKNOWN or 0 <= number < 2**52
    assert int(np.float64(number)) == number
    assert (number >= HASHED) == (number in labels.texts_of([text]))


@given(NAMES)
def test_unicode_forms_are_one_name(text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert labels.number(composed) == labels.number(decomposed)
    assert labels.numbered([composed, decomposed], "two folders")[decomposed] == labels.number(text)


@given(st.lists(NAMES, min_size=1))
def test_names_come_back_from_what_is_stored(names: list[str]) -> None:
    numbers = [labels.number(name) for name in names]
    texts = labels.texts_of(names)
    column = labels.column(np.array(numbers, np.int64), texts)
    assert labels.texts_in(numbers, column, "a file") == texts
    assert [labels.number(name) for name in column] == numbers


def test_two_names_of_one_number_are_refused(monkeypatch) -> None:
    with pytest.raises(UserError, match="two folders are the same number, 0012 and 12: call every one by one name"):
        labels.numbered(["12", "anna", "0012"], "two folders")
    assert labels.numbered(["-1", "-2", "unknown"], "two folders") == dict.fromkeys(["-1", "-2", "unknown"], UNKNOWN)
    monkeypatch.setattr(labels, "END", HASHED + 1)  # all texts collide
    with pytest.raises(UserError, match="two folders are the same number, anna and bob"):
        labels.numbered(["anna", "bob"], "two folders")


def test_unknown_and_numbers_without_a_text_are_shown() -> None:
    texts = labels.texts_of(["anna", "12"])
    numbers = np.array([labels.number("anna"), 12, -1, -5, 2**45])
    assert labels.column(numbers, texts) == ["anna", "12", "unknown", "unknown", str(2**45)]
    assert labels.known(numbers).tolist() == [True, True, False, False, True]


def test_names_are_listed_numbers_first_and_each_once() -> None:
    names = ["zoë", "anna", "12", "3", "anna", "-1"]
    numbers = np.array([labels.number(name) for name in names])
    assert list(labels.named(numbers, labels.texts_of(names)).values()) == ["unknown", "3", "12", "anna", "zoë"]


def test_a_stored_name_must_be_its_numbers() -> None:
    assert labels.texts_in([12, 2**45], ["0012", str(2**45)], "x.npz") == {}
    with pytest.raises(UserError, match=r"x\.npz calls 5 'anna', whose number is"):
        labels.texts_in([5], ["anna"], "x.npz")


def test_people_in_both_modalities_are_told_from_those_in_one() -> None:
    identities, infrared = np.array([7, 7, 3, 9, 5, 5, -1, -1]), np.array([0, 1, 0, 1, 1, 0, 0, 1], bool)
    samples = Samples([b""] * 8, list("abcdefgh"), identities, infrared, np.ones(8, np.int64))
    assert samples.shared().tolist() == [5, 7]
    assert samples.of("visible").shared().tolist() == []
