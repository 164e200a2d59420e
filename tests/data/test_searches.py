"""Queries and galleries of the published protocols against their words, and matches that their rules hide."""

import random
from dataclasses import replace
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.data.labels import number, texts_of
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import refuse_hidden
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.data.sources.sysu_mm01 import TRIALS, read_permutations
from hicmd_tf.errors import UserError
from hicmd_tf.retrieval.evaluation import evaluate, main_figures, over_trials
from hicmd_tf.retrieval.report import as_csv, as_markdown, as_text

VISIBLE_CAMERAS = (1, 2, 4, 5)
SHARED = Path(__file__).parents[3] / "shared" / "protocols" / "SYSU-MM01"


def sysu(people: tuple[int, ...] = (6, 10, 17), pictures: int = 12, absent: tuple[int, int] = (2, 10)) -> Samples:
    """Everyone before every camera, but one identity missing in one; sorted by name, as data sets are."""
    rows = [
        (f"cam{camera}/{identity:04d}/{number:04d}.jpg", identity, camera)
        for camera in range(1, 7)
        for identity in people
        for number in range(1, pictures + 1)
        if (camera, identity) != absent
    ]
    names, identities, cameras = zip(*sorted(rows), strict=True)
    cameras = np.array(cameras)
    return Samples([b""] * len(names), names, np.array(identities), np.isin(cameras, (3, 6)), cameras)


def permutations(samples: Samples) -> dict[tuple[int, int], np.ndarray]:
    rng = np.random.default_rng(0)
    counts: dict[tuple[int, int], int] = {}
    for key in zip(samples.cameras.tolist(), samples.identities.tolist(), strict=True):
        counts[key] = counts.get(key, 0) + 1
    return {key: np.stack([rng.permutation(n) + 1 for _ in range(TRIALS)]) for key, n in counts.items()}


def test_sysus_galleries_are_the_official_ones_in_their_order(tmp_path: Path) -> None:
    samples = sysu()
    chosen = permutations(samples)
    found = {
        search.setting: search
        for search in DATA_SETS["sysu_mm01"].searches(samples, trees.permutations(tmp_path / "p.mat", chosen))
    }
    assert list(found) == [
        "all-search, single-shot, official galleries",
        "all-search, 10-shot, official galleries",
        "all-search, single-shot, python galleries",
        "indoor-search, single-shot, official galleries",
        "indoor-search, 10-shot, official galleries",
        "indoor-search, single-shot, python galleries",
    ]
    for search in found.values():
        assert len(search.galleries) == TRIALS and search.protocol == "sysu"
        assert set(samples.cameras[search.queries]) == {3, 6} and len(search.queries) == 72
    for shots, setting in ((1, "single-shot"), (10, "10-shot")):
        for mode, cameras in (("all", VISIBLE_CAMERAS), ("indoor", (1, 2))):
            for trial in range(TRIALS):
                expected = [
                    f"cam{camera}/{identity:04d}/{chosen[camera, identity][trial, shot]:04d}.jpg"
                    for camera in cameras
                    for identity in (6, 10, 17)
                    if (camera, identity) in chosen
                    for shot in range(shots)
                ]
                rows = found[f"{mode}-search, {setting}, official galleries"].galleries[trial]
                assert [samples.names[row] for row in rows] == expected


def test_the_python_scheme_draws_as_its_toolkits_do() -> None:
    samples = sysu()
    files: dict[tuple[str, ...], list[str]] = {}
    for name in samples.names:
        files.setdefault(tuple(name.split("/")[:2]), []).append(name)
    everywhere, indoor = DATA_SETS["sysu_mm01"].searches(samples)  # none by permutations that are not there
    assert everywhere.setting == "all-search, single-shot, python galleries"
    assert indoor.setting == "indoor-search, single-shot, python galleries"
    for trial in range(TRIALS):
        random.seed(trial)
        expected = [
            random.choice(sorted(files[f"cam{camera}", identity]))
            for identity in ("0006", "0010", "0017")
            for camera in (1, 2)
            if (f"cam{camera}", identity) in files
        ]
        assert [samples.names[row] for row in indoor.galleries[trial]] == expected


def test_permutations_of_other_pictures_are_refused(tmp_path: Path) -> None:
    chosen = trees.permutations(tmp_path / "p.mat", permutations(sysu(pictures=11)))
    with pytest.raises(
        UserError, match=r"rand_perm_cam\.mat knows 11 pictures of identity 6 by camera 1, the data set has 12"
    ):
        list(DATA_SETS["sysu_mm01"].searches(sysu(), chosen))


def test_llcm_samples_the_gallery_never_the_queries() -> None:
    rows = sorted(
        (f"{m}/{i:04d}/{i:04d}_c{c:02d}_{k}.jpg", i, c, m == "nir")
        for m in ("vis", "nir")
        for i in (1, 2)
        for c in (1, 3)
        for k in range(4)
    )
    names, identities, cameras, infrared = (np.array(x) for x in zip(*rows, strict=True))
    samples = Samples([b""] * len(rows), names.tolist(), identities, infrared, cameras)
    for search in DATA_SETS["llcm"].searches(samples):
        assert len(search.queries) == 16 and search.protocol == "llcm"
        assert set(samples.infrared[search.queries]) == {search.direction.query == "infrared"}
        for gallery in search.galleries:
            keys = list(zip(samples.identities[gallery], samples.cameras[gallery], strict=True))
            assert keys == [(1, 1), (1, 3), (2, 1), (2, 3)]
            assert set(samples.infrared[gallery]) == {search.direction.gallery == "infrared"}


def test_regdb_and_folders_ask_everything_of_everything_in_both_directions() -> None:
    samples = sysu()
    for name, protocol in (("regdb", "regdb"), ("folder", "market1501"), ("synthetic_vi", "regdb")):
        there, back = DATA_SETS[name].searches(samples)
        assert (str(there.direction), str(back.direction)) == ("visible_to_infrared", "infrared_to_visible")
        assert there.protocol == back.protocol == protocol
        np.testing.assert_array_equal(there.queries, back.galleries[0])


def with_strangers(samples: Samples, unknown: int = -1) -> Samples:
    """Every fourth picture is of somebody unknown."""
    return replace(samples, identities=np.where(np.arange(len(samples)) % 4 == 0, unknown, samples.identities))


@pytest.mark.parametrize("name", ["regdb", "folder", "llcm", "sysu_mm01"])
def test_unknown_people_are_in_the_gallery_and_ask_nothing(name: str) -> None:
    samples = with_strangers(sysu())
    for search in DATA_SETS[name].searches(samples):
        assert samples.known[search.queries].all()
        assert len(search.queries) == np.count_nonzero(
            samples.known & (samples.infrared == (search.direction.query == "infrared"))
        )
        cameras = (1, 2) if search.setting.startswith("indoor") else (1, 2, 4, 5)
        there = samples.infrared == (search.direction.gallery == "infrared")
        among = there & np.isin(samples.cameras, cameras) if name == "sysu_mm01" else there
        for gallery in search.galleries:
            strangers = gallery[~samples.known[gallery]]
            np.testing.assert_array_equal(np.sort(strangers), np.flatnonzero(among & ~samples.known))


@pytest.mark.parametrize("name", ["regdb", "folder", "llcm", "sysu_mm01", "synthetic_vi"])
def test_when_nobody_is_known_one_line_says_so(name: str) -> None:
    nobody = replace(sysu(), identities=np.full(len(sysu()), -5))
    with pytest.raises(UserError, match="no query is of a known person"):
        list(DATA_SETS[name].searches(nobody))


@pytest.mark.parametrize(
    ("name", "camera", "infrared", "said"),
    [
        ("sysu_mm01", 1, True, r"by camera 1 \(36 such pictures\), sysu_mm01's infrared cameras are 3, 6"),
        ("sysu_mm01", 3, False, r"by camera 3 \(36 such pictures\), sysu_mm01's visible cameras are 1, 2, 4, 5"),
        ("sysu_mm01", 7, True, "by camera 7"),
        ("llcm", 10, True, "by camera 10"),
        ("llcm", 0, False, "by camera 0"),
    ],
)
def test_cameras_that_contradict_the_modality_are_refused(name: str, camera: int, infrared: bool, said: str) -> None:
    samples = sysu()
    odd = samples.cameras == (6 if infrared else 1)
    with pytest.raises(UserError, match=said):
        list(DATA_SETS[name].searches(replace(samples, cameras=np.where(odd, camera, samples.cameras))))


def test_tables_have_means_and_deviations_over_galleries(tmp_path: Path) -> None:
    samples = sysu()
    rng = np.random.default_rng(1)
    centres = {identity: rng.normal(size=8) for identity in (6, 10, 17)}
    descriptors = np.stack([centres[i] + rng.normal(size=8) for i in samples.identities])
    file = trees.permutations(tmp_path / "p.mat", permutations(samples))
    found = DATA_SETS["sysu_mm01"].searches(samples, file)
    rows = evaluate(descriptors, samples, [found[0], found[3]], rerank=True)
    assert [row.reranked for row in rows] == [False, True] * 2
    first = rows[0]
    assert first.trials == TRIALS and first.queries == 72 and first.deviation["rank1"] > 0
    assert first.unanswered == 0 and rows[2].setting.startswith("indoor")
    assert main_figures(rows) == {"infrared_to_visible": first.mean}
    assert f"{100 * first.mean['mAP']:.2f} ± {100 * first.deviation['mAP']:.2f}" in as_text(rows)
    assert as_markdown(rows).count("\n") == len(rows) + 2
    assert (
        as_csv(rows)
        .splitlines()[1]
        .startswith(f'infrared_to_visible,"{first.setting}",False,10,72,0,{first.mean["rank1"]}')
    )


def test_several_splits_are_averaged_over_their_models() -> None:
    samples = sysu()
    search = list(DATA_SETS["regdb"].searches(samples))
    rng = np.random.default_rng(2)
    tables = [evaluate(rng.normal(size=(len(samples), 4)), samples, search) for _ in range(3)]
    mean = over_trials(tables)[0]
    values = [table[0].mean["mAP"] for table in tables]
    assert mean.trials == 3 and mean.mean["mAP"] == pytest.approx(np.mean(values))
    assert mean.deviation["mAP"] == pytest.approx(np.std(values))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data set's real lists are not here")
def test_real_permutations_give_galleries_of_301_and_112() -> None:
    from hicmd_tf.data.sources.records import numbers

    file = SHARED / "official_mat" / "rand_perm_cam.mat"
    chosen = read_permutations(file)
    people = numbers(SHARED / "exp" / "test_id.txt")
    rows = sorted(
        (f"cam{camera}/{identity:04d}/{number + 1:04d}.jpg", identity, camera)
        for (camera, identity), of in chosen.items()
        if identity in people
        for number in range(of.shape[1])
    )
    names, identities, cameras = zip(*rows, strict=True)
    samples = Samples([b""] * len(rows), names, np.array(identities), np.isin(cameras, (3, 6)), np.array(cameras))
    found = DATA_SETS["sysu_mm01"].searches(samples, file)
    sizes = {search.setting: {len(gallery) for gallery in search.galleries} for search in found}
    assert sizes["all-search, single-shot, official galleries"] == {301}
    assert sizes["all-search, 10-shot, official galleries"] == {3010}
    assert sizes["all-search, single-shot, python galleries"] == {301}
    assert sizes["indoor-search, single-shot, official galleries"] == {112}
    assert sizes["indoor-search, 10-shot, official galleries"] == {1120}
    descriptors = np.random.default_rng(0).normal(size=(len(rows), 4))
    all_search, indoor = evaluate(descriptors, samples, [found[0], found[3]])
    assert all_search.queries == 3803 and all_search.unanswered == 0
    assert indoor.queries * indoor.trials - indoor.unanswered == 2208 * TRIALS


GATE = number("gate")


def made(rows: list[tuple[int, int, bool]]) -> Samples:
    """(identity, camera, infrared) of each."""
    identities, cameras, infrared = (np.array(column) for column in zip(*rows, strict=True))
    names = [f"{place:02d}" for place in range(len(rows))]
    return Samples([b""] * len(rows), names, identities, infrared, cameras, texts=texts_of(["gate"]))


MIXED = made(
    [
        *((1, GATE, infrared) for infrared in (False, True)),  # loses all, in both directions
        *((2, 3, False), (2, 3, True), (2, 4, True)),  # the visible one loses one of two, one infrared one loses all
        *((3, 5, False), (3, 6, True)),  # loses none
        *((4, 7, False), (-1, 7, True)),  # has none
    ]
)


def test_hidden_matches_are_counted_by_query_and_camera() -> None:
    there, back = (refuse_hidden(MIXED, search) for search in DATA_SETS["folder"].searches(MIXED))
    assert (there.some, there.lost, back.some, back.lost) == (2, 1, 2, 2)
    assert there.words.startswith("cameras 3, gate took pictures of one person in both modalities")
    assert "of 3 visible queries 1 lose all of their matches and count nowhere, 1 lose some" in there.words
    assert "of 4 infrared queries 2 lose all of their matches and count nowhere, 0 lose some" in back.words
    assert all(refuse_hidden(MIXED, search) == (0, 0, "") for search in DATA_SETS["regdb"].searches(MIXED))


def test_evaluation_says_which_cameras_hide_matches_and_counts_without_them() -> None:
    descriptors = np.random.default_rng(0).normal(size=(len(MIXED), 4))
    there, back = evaluate(descriptors, MIXED, DATA_SETS["folder"].searches(MIXED))
    assert there.hidden.startswith("cameras 3, gate took pictures") and there.hidden in as_text([there, back])
    assert "2 of 4 queries have no picture of their identity that they may see" in as_text([there])
    assert (there.queries, there.unanswered) == (4, 2) and (back.queries, back.unanswered) == (4, 2)


def test_when_nothing_is_left_one_line_names_the_cameras() -> None:
    one = made([(1, GATE, False), (1, GATE, True), (2, GATE, False), (2, GATE, True)])
    with pytest.raises(UserError, match="no query has a match that it may see: camera gate took pictures"):
        evaluate(np.eye(4), one, DATA_SETS["folder"].searches(one))
