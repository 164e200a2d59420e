"""What a picture's path says: whom it shows, in which modality, by which camera; days are nobody."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.config.kinds import compiled
from hicmd_tf.data.sources.paths import Said, camera_folder, camera_of, person_of, read_path
from hicmd_tf.errors import UserError
from hicmd_tf.notation import Modality, modality_of


def read(folder: Path, name: str, modality: Modality | None = None, pattern: re.Pattern[str] | None = None) -> Said:
    said = read_path(folder, name, modality, pattern)
    assert said is not None
    return said


@pytest.mark.parametrize(
    ("names", "modality"),
    [
        ("visible Visible VIS rgb RGB color Colour visible_light", "visible"),
        ("infrared Infrared IR ir thermal Thermal NIR near-infrared", "infrared"),
        ("depth anna irene visibly", None),
    ],
)
def test_folders_name_a_modality_as_people_write_it(names: str, modality: str | None) -> None:
    assert {modality_of(name) for name in names.split()} == {modality}


CAMERAS_IN_NAMES = {
    "cam3": "3", "cam3_1": "3", "0001_c03_s1_f1": "03", "0002_c1s1_000451_03": "1", "Camera12-x": "12",
    "cam192.168.1.64_1": "192.168.1.64", "x_c10.0.0.7_12": "10.0.0.7", "cam192-168-1-64_1": "192-168-1-64",
    "192.168.1.64-1": "192.168.1.64", "192.168.1.64_01_20261105": "192.168.1.64", "IPC 192.168.1.64 1": "192.168.1.64",
    "2026-11-05_10-30-15-123": None, "2026-11-05_08.30.15.123": None, "cam3a_1": "3a", "cam3b": "3b",
    "0001C6F0099X30823": "6", "0001C1T0001F001": "1", "camA_0001": "A", "cam_3_0001": "3", "camera-2-0001": "2",
    "cam_0001": None, "1C6f0099ab": None, "camila_01": None, "12": None,
}  # fmt: skip
CAMERA_FOLDERS = {
    "cam3": "3", "Cam03": "03", "camera 2": "2", "cam_front": "front", "camB": "B", "cam3b": "3b",
    "Camera3-left": "3-left", "cam192.168.1.64": "192.168.1.64", "192.168.1.64": "192.168.1.64", "camila": None,
    "cam": None, "3": None,
}  # fmt: skip


def test_names_of_files_and_folders_have_cameras() -> None:
    assert {name: camera_of(name) for name in CAMERAS_IN_NAMES} == CAMERAS_IN_NAMES
    assert {name: camera_folder(name) for name in CAMERA_FOLDERS} == CAMERA_FOLDERS


IDENTITIES = {
    # above or below a folder named after a modality
    "anna/visible/x.png": "anna",
    "visible/anna/x.png": "anna",
    "test/0012/thermal/x.png": "0012",
    "a/b/anna/visible/x.png": "anna",
    "anna/visible/cam3/x.png": "anna",
    "visible/cam3/anna/x.png": "anna",
    "anna/cam3/visible/x.png": "anna",
    "visible/camera3-left/anna/x.png": "anna",
    # days, and times below them
    "nvr/infrared/2026/11/05/a.jpg": None,
    "nvr/2026/11/05/infrared/a.jpg": None,
    "nvr/11-25-2026/infrared/a.jpg": None,
    "infrared/5 Nov 2026/a.jpg": None,
    "infrared/November 5, 2026/a.jpg": None,
    "infrared/2026-nov-05/a.jpg": None,
    "2026/11/infrared/05/a.jpg": None,
    "2026-11/IR/05/a.jpg": None,
    "2026-11/infrared/a.jpg": None,
    "2026/Nov/infrared/a.jpg": None,
    "2026-11-05/cam3/infrared/08/a.jpg": None,
    "2026-11-05/cam3/08/infrared/a.jpg": None,
    "2026-11-05/14h/infrared/a.jpg": None,
    "2026-11-05/08-30/infrared/a.jpg": None,
    "2026-11-05T08-30-00/infrared/a.jpg": None,
    "20261105083000/infrared/a.jpg": None,
    "session_20261105/infrared/a.jpg": None,
    "infrared/2026-11-05_morning/a.jpg": None,
    # names and numbers that are none
    "2026-11/people/infrared/05/a.jpg": "05",
    "2026-11-05/0007/infrared/a.jpg": "0007",
    "2013/visible/a.png": "2013",
    "20261399/infrared/a.jpg": "20261399",
    "p123456789/infrared/a.jpg": "p123456789",
    "1-2-3/infrared/a.jpg": "1-2-3",
    # nobody's folder
    "visible/x.png": None,
    "visible/a/b/x.png": None,
    "visible/cam3b/x.png": None,
    "cam3/visible/x.png": None,
    "train/visible/x.png": None,
    "visible/train/x.png": None,
    "thermal/visible/x.png": None,
    "unknown/visible/x.png": None,
}


@pytest.mark.parametrize("name", list(IDENTITIES))
def test_people_are_single_folders_beside_a_modalitys_and_days_are_nobody(name: str, tmp_path: Path) -> None:
    assert read(tmp_path, name).identity == IDENTITIES[name]


@pytest.mark.parametrize(
    ("name", "identity", "camera"),
    [
        ("anna/x.jpg", "anna", None),
        ("cam3/0001/0001.jpg", "0001", "3"),
        ("0001/cam3/0001.jpg", "0001", "3"),
        ("cam3/0001.jpg", None, "3"),
        ("x.jpg", None, None),
        ("nvr/anna/x.jpg", None, None),
        ("2026-11-05/x.jpg", None, None),
        ("05/cam2_x.jpg", "05", "2"),
    ],
)
def test_with_the_modality_given_people_are_the_single_folders(
    name: str, identity: str | None, camera: str | None, tmp_path: Path
) -> None:
    said = read(tmp_path, name, "visible")
    assert (said.identity, said.camera, said.modality) == (identity, camera, "visible")


def test_the_folders_own_path_counts(tmp_path: Path) -> None:
    month = tmp_path / "nvr" / "2026" / "11"
    assert read(month, "05/a.jpg", "infrared").identity is None
    assert read(month, "05/infrared/a.jpg").identity is None
    said = read(month / "infrared", "05/a.jpg")
    assert (said.identity, said.modality) == (None, "infrared")
    assert read(tmp_path / "2026" / "people", "05/a.jpg", "visible").identity == "05"


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2099, 12, 31)))
def test_every_day_is_a_day(day: date) -> None:
    for form in ("%Y-%m-%d", "%Y%m%d", "%Y_%m_%d", "%d.%m.%Y", "%Y/%m/%d", "%Y-%m-%d/%H", "%Y%m%d/%H/%M"):
        path = day.strftime(form)
        assert read(Path("/nvr"), f"{path}/visible/a.jpg").identity is None, path


@given(st.integers(0, 999_999))
def test_numbers_are_people(number: int) -> None:
    for text in (str(number), f"{number:04d}", f"{number:06d}"):
        assert read(Path("/people"), f"{text}/visible/a.png").identity == text


def test_a_single_picture_is_its_folders_persons(tmp_path: Path) -> None:
    assert person_of(tmp_path / "anna/visible/x.png", "visible") == ("anna", "visible")
    assert person_of(tmp_path / "infrared/anna/x.png", None) == ("anna", "infrared")
    assert person_of(tmp_path / "nvr/infrared/2026/11/05/a.jpg", None) == (None, "infrared")
    assert person_of(tmp_path / "5/x.png", "visible") == (None, "visible")
    assert person_of(tmp_path / "ir/project/probes/x.png", "visible")[0] is None  # not a folder of pictures
    for name in ("anna/IR/x.png", "thermal/anna/x.png"):
        with pytest.raises(UserError, match=f"{name} lies in a folder of infrared pictures, but visible is said"):
            person_of(tmp_path / name, "visible")


def test_a_pattern_says_it_otherwise(tmp_path: Path) -> None:
    pattern = compiled(r"(?P<modality>rgb|ir)/\d{4}/\d\d/(?P<camera>gate|cam\d)_(?P<identity>[a-z]*)_", "--pattern")
    said = read(tmp_path, "x/ir/2026/11/gate_anna_1.jpg", None, pattern)
    assert (said.identity, said.camera, said.modality) == ("anna", "gate", "infrared")
    said = read(tmp_path, "rgb/2026/11/cam3__1.jpg", None, pattern)
    assert (said.identity, said.camera, said.modality) == (None, "3", "visible")
    assert read_path(tmp_path, "rgb/2026/gate_anna_1.jpg", None, pattern) is None
    said = read(tmp_path, "anna/visible/door_1.png", None, compiled(r"/(?P<camera>[^/_]+)_\d+\.", "--pattern"))
    assert (said.identity, said.camera, said.modality) == ("anna", "door", "visible")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?P<identity>[a-z]", "no regular expression"),
        ("[a-z]+", "with no named group: expected a regular expression with some of the named groups identity, "),
        ("(?P<identity>a)(?P<person>[a-z]+)/", "with groups identity, person: expected"),
    ],
)
def test_patterns_that_say_nothing_are_refused(pattern: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        compiled(pattern, "--pattern")


def test_paths_that_contradict_the_modality_are_refused(tmp_path: Path) -> None:
    by_name = compiled("_(?P<modality>[a-z]+)", "--pattern")
    for folder, name, pattern in (
        (tmp_path, "anna/infrared/x.png", None),
        (tmp_path, "a/nir/b/c/x.png", None),
        (tmp_path / "Infrared", "anna/x.png", None),
        (tmp_path, "anna/x_ir.png", by_name),
    ):
        with pytest.raises(UserError, match=f"{name} is infrared by its path, but --modality says"):
            read_path(folder, name, "visible", pattern)
    assert read(tmp_path, "anna/x_depth.png", None, by_name).modality is None
