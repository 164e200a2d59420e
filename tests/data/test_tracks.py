"""Tracks and times of own pictures: from a table or a pattern into records and samples, and what no track may be."""

import math
from datetime import datetime
from pathlib import Path

import drawn_trees as trees
import numpy as np
import pytest

from hicmd_tf.commands import main as hicmd
from hicmd_tf.data.labels import number
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.data.sources.folder import anything
from hicmd_tf.data.sources.records import read_pictures
from hicmd_tf.data.sources.table import TABLE
from hicmd_tf.errors import UserError

FOLDER = DATA_SETS["folder"]
HEAD = "path,modality,identity,camera,time,track"


def listed(folder: Path, *lines: str, head: str = HEAD) -> Samples:
    for seed, line in enumerate(lines):
        trees.picture(folder / line.split(",")[0], seed)
    (folder / TABLE).write_text("\n".join([head, *lines, ""]), "utf-8")
    listing = anything(folder, None)
    return read_pictures(folder, listing.records, listing.texts)


def test_a_table_says_tracks_and_times_and_nothing_where_they_are_empty(tmp_path: Path) -> None:
    samples = listed(
        tmp_path,
        "a.png,visible,anna,1,2026-11-05T08:30:12,north-1",
        "b.png,visible,anna,1,12.5,north-1",
        "c.png,infrared,anna,2,,7",
        "d.png,infrared,,2,20261105,",
        "e.png,infrared,bob,2,,unknown",
    )
    assert [samples.track(row) for row in range(5)] == ["north-1", "north-1", "7", "", ""]
    assert samples.tracks.tolist() == [number("north-1")] * 2 + [7, -1, -1]
    when = [datetime(2026, 11, 5, 8, 30, 12).timestamp(), 12.5, math.nan, datetime(2026, 11, 5).timestamp(), math.nan]
    np.testing.assert_array_equal(samples.times, when)
    few = samples.select(np.array([3, 0]))
    assert few.tracked.tolist() == [False, True] and few.times.tolist() == [when[3], when[0]]


def test_samples_without_tracks_and_times_say_so() -> None:
    samples = Samples([b""] * 2, ["a", "b"], np.arange(2), np.zeros(2, bool), np.zeros(2, np.int64))
    assert not samples.tracked.any() and np.isnan(samples.times).all() and samples.track(0) == ""


def test_a_pattern_says_tracks_and_times(tmp_path: Path) -> None:
    for seed, name in enumerate(("cam1/17/anna_20261105_083012.png", "cam1/17/anna_20261105_083013.png")):
        trees.picture(tmp_path / "visible" / name, seed)
    pattern = r"(?P<track>(?P<camera>cam\d)/\d+)/(?P<identity>[a-z]+)_(?P<time>\d{8}_\d{6})"
    listing = anything(tmp_path, None, pattern)
    assert {record.track for record in listing.records} == {number("cam1/17")}
    assert [record.time for record in listing.records] == [
        datetime(2026, 11, 5, 8, 30, second).timestamp() for second in (12, 13)
    ]
    assert "tracks: 1, of 2 pictures" in listing.taken
    with pytest.raises(
        UserError, match=r"anna_20261105_083012\.png: by the pattern its time is 'anna': expected a time"
    ):
        anything(tmp_path, None, r"(?P<time>[a-z]+)_\d")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("b.png,visible,bob,1,,t", "track t is of two people, anna in a.png and bob in b.png: a track is"),
        ("b.png,visible,,1,,t", "two people, anna in a.png and unknown in b.png"),
        ("b.png,visible,anna,2,,t", "two cameras, 1 in a.png and 2 in b.png"),
        ("b.png,infrared,anna,1,,t", "two modalities, visible in a.png and infrared in b.png"),
        ("b.png,visible,anna,1,noon,t", f"{TABLE}, line 3: time is 'noon': expected a time such as"),
    ],
)
def test_a_mixed_track_and_a_time_that_is_none_are_refused_in_one_line(second: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said) as refused:
        listed(tmp_path, "a.png,visible,anna,1,,t", second)
    assert "\n" not in str(refused.value)


def test_two_spellings_of_one_track_s_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two tracks are the same number, 007 and 7"):
        listed(tmp_path, "a.png,visible,anna,1,,7", "b.png,visible,anna,1,,007")


def test_the_folder_to_practise_on_has_tracks_of_consecutive_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--people", "4", "--pictures", "6", "--height", "32"]
    hicmd(["sample-folder", str(tmp_path / "a"), *few, "--tracks", "2"])
    hicmd(["check", "folder", str(tmp_path / "a")])
    printed = capsys.readouterr().out
    assert "tracks: 32, of 48 pictures\n" in printed and "as said of 48 pictures, as hicmd search takes them" in printed
    listing = FOLDER.read(tmp_path / "a")
    samples = read_pictures(tmp_path / "a", listing.records, listing.texts)
    for track in np.unique(samples.tracks):
        rows = np.flatnonzero(samples.tracks == track)
        for column in (samples.identities, samples.cameras, samples.infrared):
            assert len(np.unique(column[rows])) == 1
        assert np.ptp(samples.times[rows]) == len(rows) - 1
        others = samples.times[np.setdiff1d(np.arange(len(samples)), rows)]
        assert not ((others >= samples.times[rows].min()) & (others <= samples.times[rows].max())).any()
    hicmd(["sample-folder", str(tmp_path / "b"), *few])
    assert not (tmp_path / "b" / TABLE).exists()
    plain = FOLDER.read(tmp_path / "b")
    assert [one[:4] for one in plain.records] == [one[:4] for one in listing.records]
