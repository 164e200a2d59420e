"""Chance against every ranking there is, under every protocol's rules, and against random ones where there are more."""

import itertools
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hicmd_tf.data.searches import ProtocolName
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.chance import chance
from hicmd_tf.retrieval.metrics import score_distances, summary

PROTOCOLS = get_args(ProtocolName)


def by_all_rankings(
    query_ids: list[int], gallery_ids: list[int], query_cams: list[int], gallery_cams: list[int], name: ProtocolName
) -> dict[str, float]:
    """The mean figures of a query over all orders of the gallery, and of these over the queries with a match."""
    orders = np.array(list(itertools.permutations(range(len(gallery_ids)))), float)
    found = []
    for identity, camera in zip(query_ids, query_cams, strict=True):
        same = (np.full(len(orders), identity), np.array(gallery_ids), np.full(len(orders), camera))
        try:
            found.append(summary(score_distances(orders, *same, np.array(gallery_cams), name)))
        except UserError:  # no match that it may see
            continue
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]} if found else {}


@pytest.mark.parametrize("name", PROTOCOLS)
@given(data=st.data())
@settings(max_examples=20)
def test_chance_is_the_mean_over_all_rankings(name: ProtocolName, data: st.DataObject) -> None:
    gallery, queries = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))

    def some(number: int, last: int) -> list[int]:
        return data.draw(st.lists(st.integers(1, last), min_size=number, max_size=number))

    query_ids, gallery_ids = some(queries, 3), some(gallery, 3)
    query_cams, gallery_cams = some(queries, 3), some(gallery, 3)
    expected = by_all_rankings(query_ids, gallery_ids, query_cams, gallery_cams, name)
    arrays = map(np.array, (query_ids, gallery_ids, query_cams, gallery_cams))
    if not expected:
        with pytest.raises(UserError, match="no query"):
            chance(*arrays, name)
        return
    assert chance(*arrays, name) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_chance_is_what_shuffled_galleries_of_many_people_give(name: ProtocolName) -> None:
    rng = np.random.default_rng(1)
    gallery_ids = np.repeat(np.arange(40), rng.integers(1, 30, 40))  # more pictures than the quadrature has nodes for
    gallery_cams = rng.integers(1, 4, len(gallery_ids))
    query_ids, query_cams = np.arange(40), np.tile([1, 2, 3, 3], 10)
    many = np.tile(query_ids, 500), gallery_ids, np.tile(query_cams, 500), gallery_cams
    drawn = summary(score_distances(rng.random((len(many[0]), len(gallery_ids)), np.float32), *many, name))
    # a fraction's standard error is at most 0.5 / sqrt(20,000) = 0.0036
    assert drawn == pytest.approx(chance(query_ids, gallery_ids, query_cams, gallery_cams, name), abs=0.015)


def test_who_is_unknown_asks_nothing_and_is_one_more_person_in_a_gallery() -> None:
    known = chance(np.array([1, 2]), np.array([1, 2, 7, 8]), np.zeros(2), np.ones(4), "llcm")
    assert chance(np.array([1, 2, -1]), np.array([1, 2, -1, -1]), np.zeros(3), np.ones(4), "llcm") == known
    assert chance(np.array([-1, 5]), np.array([5, -1]))["rank1"] == 0.5
    assert known["rank1"] == pytest.approx(1 / 4) and known["rank5"] == 1


def test_a_person_with_many_pictures_is_one_among_the_first_identities() -> None:
    """A picture and nine of one other person: the other comes first 9 times of 10, and never counts twice."""
    found = chance(np.array([1]), np.repeat([1, 2], [1, 9]), np.array([0]), np.ones(10), "llcm")
    assert (found["rank1"], found["rank5"]) == pytest.approx((0.1, 1.0))
    assert chance(np.array([1]), np.repeat([1, 2], [1, 9]))["rank5"] == pytest.approx(0.5)
