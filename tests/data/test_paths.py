"""What a picture's path says: whom it shows, in which modality, by which camera; days are nobody."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hicmd_tf.config.kinds import compiled
from hicmd_tf.data.sources.paths import Paths, camera_folder, camera_of, days, modality_of, person_of
from hicmd_tf.errors import UserError


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
    "cam3": "3", "cam3_1": "3", "0001_c03_s1_f1": "03", "0002_c1s1_000451_03": "1",
    "Camera12-x": "12", "cam192.168.1.64_1": "192.168.1.64", "cam192.168.1.64": "192.168.1.64",
    "x_c10.0.0.7_12": "10.0.0.7", "cam192-168-1-64_1": "192-168-1-64", "192.168.1.64-1": "192.168.1.64",
    "IPC 192.168.1.64 1": "192.168.1.64", "2026-11-05_10-30-15-123": None, "2026-11-05_10-30-15-01": None,
    "2026-11-05_08.30.15.123": None, "10.0.0.7": "10.0.0.7", "cam3a_1": "3a", "cam3b": "3b",
    "192.168.1.64_01_20261105": "192.168.1.64", "cam12345678901234567890123_1": "12345678901234567890123",
    "0001C6F0099X30823": "6", "0001C1T0001F001": "1", "camA_0001": "A", "cam_3_0001": "3", "camera-2-0001": "2",
    "cam_0001": None, "1C6f0099ab": None, "camila_01": None, "12": None,
}  # fmt: skip


@pytest.mark.parametrize("stem", CAMERAS_IN_NAMES)
def test_cameras_in_names_of_files(stem: str) -> None:
    assert camera_of(stem) == CAMERAS_IN_NAMES[stem]


CAMERA_FOLDERS = {
    "cam3": "3", "Cam03": "03", "camera 2": "2", "cam_front": "front", "camB": "B", "cam3b": "3b",
    "Camera3-left": "3-left", "cam192.168.1.64": "192.168.1.64", "192.168.1.64": "192.168.1.64", "camila": None,
    "cam": None, "3": None,
}  # fmt: skip


@pytest.mark.parametrize("name", CAMERA_FOLDERS)
def test_folders_named_after_cameras(name: str) -> None:
    assert camera_folder(name) == CAMERA_FOLDERS[name]


IDENTITIES = {
    # above or below a folder named after a modality
    "anna/visible/x.png": "anna",
    "visible/anna/x.png": "anna",
    "test/0012/thermal/x.png": "0012",
    "a/b/anna/visible/x.png": "anna",
    "anna/visible/cam3/x.png": "anna",
    "visible/cam3/anna/x.png": "anna",
    "anna/cam3/visible/x.png": "anna",
    # a day, a time, a part of one
    "nvr/infrared/2026/11/05/a.jpg": None,
    "nvr/2026/11/05/infrared/a.jpg": None,
    "nvr/11-25-2026/infrared/a.jpg": None,
    "infrared/5 Nov 2026/a.jpg": None,
    "infrared/November 5, 2026/a.jpg": None,
    "infrared/2026-nov-05/a.jpg": None,
    "2026/11/infrared/05/a.jpg": None,
    "2026-11/IR/05/a.jpg": None,
    "2026-11-05/cam3/infrared/08/a.jpg": None,
    "2026-11-05/cam3/08/infrared/a.jpg": None,
    "2026-11/people/infrared/05/a.jpg": "05",
    "visible/cam3b/x.png": None,
    "visible/camera3-left/anna/x.png": "anna",
    "2026-11-05T08-30-00/infrared/a.jpg": None,
    "20261105083000/infrared/a.jpg": None,
    "session_20261105/infrared/a.jpg": None,
    "infrared/2026-11-05_morning/a.jpg": None,
    "2026-11/infrared/a.jpg": None,
    "p123456789/infrared/a.jpg": "p123456789",
    "1-2-3/infrared/a.jpg": "1-2-3",
    "2026/Nov/infrared/a.jpg": None,
    "2026-11-05/14/infrared/a.jpg": None,
    "08-30/infrared/a.jpg": None,
    "14h/infrared/a.jpg": None,
    "infrared/08_30/a.jpg": None,
    # nobody's folder
    "visible/x.png": None,
    "visible/a/b/x.png": None,
    "cam3/visible/x.png": None,
    "train/visible/x.png": None,
    "visible/train/x.png": None,
    "thermal/visible/x.png": None,
}


@pytest.mark.parametrize("name", list(IDENTITIES))
def test_people_are_single_folders_beside_a_modalitys_and_days_are_nobody(name: str, tmp_path: Path) -> None:
    said = Paths(tmp_path, [name], None).read(name)
    assert said is not None and said.identity == IDENTITIES[name]


@pytest.mark.parametrize(
    ("name", "identity", "camera"),
    [
        ("anna/x.jpg", "anna", None),
        ("cam3/0001/0001.jpg", "0001", "3"),
        ("0001/cam3/0001.jpg", "0001", "3"),
        ("cam3/0001.jpg", None, "3"),
        ("x.jpg", None, None),
        ("nvr/anna/x.jpg", None, None),
        ("2026/11/05/x.jpg", None, None),
        ("2026-11-05/x.jpg", None, None),
        ("05/cam2_x.jpg", "05", "2"),
    ],
)
def test_with_the_modality_given_people_are_the_single_folders(
    name: str, identity: str | None, camera: str | None, tmp_path: Path
) -> None:
    said = Paths(tmp_path, [name], "visible").read(name)
    assert said is not None and (said.identity, said.camera, said.modality) == (identity, camera, "visible")


def test_a_day_in_the_folders_own_path_makes_its_numbers_days(tmp_path: Path) -> None:
    month = tmp_path / "nvr" / "2026" / "11"
    for modality in ("infrared", None):
        name = "05/a.jpg" if modality else "05/infrared/a.jpg"
        said = Paths(month, [name], modality).read(name)
        assert said is not None and said.identity is None
    said = Paths(month / "infrared", ["05/a.jpg"], None).read("05/a.jpg")
    assert said is not None and (said.identity, said.modality) == (None, "infrared")
    said = Paths(tmp_path / "2026" / "people", ["05/a.jpg"], "visible").read("05/a.jpg")
    assert said is not None and said.identity == "05"


def test_numbers_beside_numbers_that_are_no_days_are_people() -> None:
    assert days([], ["2013/visible/a.png", "2013/visible/b.png"]) == {"2013"}
    assert days([], ["2013/visible/a.png", "0007/visible/b.png"]) == set()
    assert days([], ["ir/1_23/a.png", "ir/1_59/a.png"]) == {"ir/1_23", "ir/1_59"}
    assert days([], ["ir/1_23/a.png", "ir/1_75/a.png"]) == set()
    assert days([], ["20261105/ir/a.png", "20261399/ir/b.png"]) == set()
    assert days([], ["2026-11-05/ir/a.png", "anna/ir/b.png", "0007/ir/c.png"]) == {"2026-11-05"}
    assert days([], ["2026/11/05/a.jpg"]) == {"2026", "2026/11", "2026/11/05"}


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2099, 12, 31)))
def test_every_day_is_a_day(day: date) -> None:
    for form in [
        "%Y-%m-%d",
        "%Y%m%d",
        "%Y_%m_%d",
        "%Y.%m.%d",
        "%d.%m.%Y",
        "%d-%m-%Y",
        "%Y/%m/%d",
        "%Y-%m-%d/%H",
        "%Y%m%d/%H/%M",
    ]:
        path = day.strftime(form)
        assert path in days([], [f"{path}/a.jpg"]), path


@given(st.integers(0, 1899))
def test_the_data_sets_numbers_are_people(number: int) -> None:
    for text in (str(number), f"{number:04d}", f"{number:06d}"):
        assert not days([], [f"{text}/visible/a.png"])


def test_a_single_picture_is_its_folders_persons(tmp_path: Path) -> None:
    assert person_of(tmp_path / "anna/visible/x.png", "visible") == "anna"
    assert person_of(tmp_path / "infrared/anna/x.png", "infrared") == "anna"
    assert person_of(tmp_path / "nvr/infrared/2026/11/05/a.jpg", "infrared") is None
    assert person_of(tmp_path / "5/x.png", "visible") is None
    assert person_of(tmp_path / "ir/project/probes/x.png", "visible") is None  # not a folder of pictures
    for name in ("anna/IR/x.png", "thermal/anna/x.png"):
        with pytest.raises(
            UserError, match=f"{name} lies in a folder of infrared pictures, but --modality says that it"
        ):
            person_of(tmp_path / name, "visible")


def test_a_pattern_says_it_otherwise(tmp_path: Path) -> None:
    pattern = compiled(
        r"(?P<modality>rgb|ir)/\d{4}/\d\d/\d\d/(?P<camera>gate|cam\d)_(?P<identity>[a-z]*)_", "--pattern"
    )
    paths = Paths(tmp_path, [], None, pattern)
    said = paths.read("x/ir/2026/11/05/gate_anna_1.jpg")
    assert said is not None and (said.identity, said.camera, said.modality) == ("anna", "gate", "infrared")
    said = paths.read("rgb/2026/11/05/cam3__1.jpg")
    assert said is not None and (said.identity, said.camera, said.modality) == (None, "3", "visible")
    assert paths.read("rgb/2026/11/gate_anna_1.jpg") is None
    by_camera = Paths(tmp_path, [], None, compiled(r"/(?P<camera>[^/_]+)_\d+\.", "--pattern"))
    said = by_camera.read("anna/visible/door_1.png")
    assert said is not None and (said.identity, said.camera, said.modality) == ("anna", "door", "visible")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?P<identity>[a-z]", "no regular expression"),
        (
            "[a-z]+",
            "with no named group: expected a regular expression with some of the named groups identity, ",
        ),
        ("(?P<person>[a-z]+)/", "with groups person: expected"),
        ("(?P<identity>a)(?P<person>[a-z]+)/", "with groups identity, person: expected"),
    ],
)
def test_patterns_that_say_nothing_are_refused(pattern: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        compiled(pattern, "--pattern")


def test_paths_that_contradict_the_modality_are_refused(tmp_path: Path) -> None:
    for name in ("anna/infrared/x.png", "anna/IR/x.png", "thermal/anna/x.png", "a/nir/b/c/x.png"):
        with pytest.raises(UserError, match=f"{name} is infrared by its path, but --modality says"):
            Paths(tmp_path, [name], "visible").read(name)
    with pytest.raises(UserError, match="is infrared by its path"):
        Paths(tmp_path / "Infrared", [], "visible").read("anna/x.png")
    pattern = compiled("_(?P<modality>[a-z]+)", "--pattern")
    with pytest.raises(UserError, match="is infrared by its path"):
        Paths(tmp_path, [], "visible", pattern).read("anna/x_ir.png")
    with pytest.raises(UserError, match="the pattern's modality is 'depth', expected visible or infrared"):
        Paths(tmp_path, [], None, pattern).read("anna/x_depth.png")
