"""The report of a run in a real browser: it stands alone, everyone can read it, and what is missing is said."""

import base64
import io
import itertools
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hicmd_tf.data.samples import DataSplits, Samples
from hicmd_tf.errors import UserError
from hicmd_tf.visualize.figure import Figure, gif_of, png_of
from hicmd_tf.visualize.statistics import Spread, statistics

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
NAMES = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")
DIRECTIONS = ("visible_to_infrared", "infrared_to_visible")
WIDTHS, SCHEMES = (360, 1600), ("light", "dark")

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OPEN_ALL = "document.querySelectorAll('details').forEach(x => { x.open = true })"
FOCUS = "() => [document.activeElement.getAttribute('href'), document.activeElement.getAttribute('role')]"
CONTRASTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number)
  const luminance = colour => channels(colour).slice(0, 3).map(x => x / 255)
    .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0)
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor
    return channels(colour)[3] === 0 ? behind(element.parentElement) : colour
  }
  const texts = [...document.body.querySelectorAll('*')]
    .filter(x => [...x.childNodes].some(y => y.nodeType === 3 && y.data.trim()) && x.checkVisibility())
  return texts.map(x => {
    const [low, high] = [luminance(getComputedStyle(x).color), luminance(behind(x))].sort((a, b) => a - b)
    return [x.tagName, (high + 0.05) / (low + 0.05)]
  })
}"""


def figure_made(name: str, size: tuple[int, int] = (900, 300), **further: Any) -> Figure:
    picture = png_of(Image.new("RGB", size, (90, 120, 60)))
    return Figure(name, f"What {name} shows", f"How to read {name}.", f"Green, as {name} is", picture, **further)


def figures_made() -> list[Figure]:
    moving = gif_of([Image.new("RGB", (40, 80), (shade, 0, 0)) for shade in (0, 250)], 100)
    return [
        figure_made("curves", plot=True),
        figure_made("swaps", animation=moving),
        figure_made("small", (16, 32)),
        figure_made("explorer", page="<p id='fragment'>Explore</p><script>fragment.textContent += 'd'</script>"),
    ]


def metrics_made(trials: int = 1) -> dict[str, Any]:
    def figures(value: float) -> dict[str, float]:
        return dict.fromkeys(NAMES, value)

    counts = {"reranked": False, "trials": trials, "queries": 12, "unanswered": 3}
    rows = [
        {"setting": setting, "direction": d, **counts, "mean": figures(mean), "deviation": figures(0.012)}
        for d in DIRECTIONS
        for setting, mean in (("all pictures", 0.345), ("another", 0.111))
    ]
    others = {"untrained": 0.0823, "raw_pixels": 0.0611, "colour_histogram": 0.0412, "chance": 0.023}
    compared = {name: {d: figures(value) for d in DIRECTIONS} for name, value in others.items()}
    return {"settings": rows, **compared, "split": "test", "identities": 6, "steps": 0, "seed": 777}


@pytest.fixture(scope="module")
def opened(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run that every report here is of, its folder a copy with metrics.json and losses.csv."""
    from hicmd_tf.runs.opened import OpenedRun

    folder = tmp_path_factory.mktemp("report") / f"a {HOSTILE.replace('/', '')} run"  # no slash in a name
    shutil.copytree(smoke_run, folder)
    (folder / "metrics.json").write_text(json.dumps(metrics_made()))
    (folder / "losses.csv").write_text("step,same\n1,0.5\n")
    environment = {"python": "3.11", "command": f"fit.py --config smoke.yaml {HOSTILE}", HOSTILE: HOSTILE}
    (folder / "environment.json").write_text(json.dumps(environment))
    return OpenedRun(folder)


@pytest.fixture(scope="module")
def report(opened: Any) -> Path:
    from hicmd_tf.visualize.report import write_report

    return write_report(opened, figures_made())


def text_of(opened: Any, tmp_path: Path, **files: Any) -> str:
    """Visible text of the report of a run whose folder has other files; None takes one away."""
    from hicmd_tf.runs.folder import RunFolder
    from hicmd_tf.visualize.report import report_of

    folder = shutil.copytree(opened.folder.path, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    for name, content in files.items():
        file = next(folder.glob(f"{name}.*"), folder / f"{name}.json")
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content if isinstance(content, str) else json.dumps(content))
    run = opened.having(folder=RunFolder(folder), descriptors=opened.descriptors)
    page = re.sub(r"<style>.*?</style>|<[^>]+>", " ", report_of(run, []), flags=re.DOTALL)
    return " ".join(page.split())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_stands_alone_fits_and_can_be_read(report: Path, browser: Any, width: int, scheme: str) -> None:
    page = browser.open(report.as_uri(), width, 800, scheme)
    assert page.evaluate(OVERFLOW) == 0
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOW) == 0
    pictures = page.locator("img").all()
    assert len(pictures) == 5
    for picture in pictures:
        assert picture.evaluate("x => x.complete && x.naturalWidth") > 0 and "Green" in picture.get_attribute("alt")
        assert picture.is_visible() and picture.bounding_box()["width"] <= width
    poor = [(tag, ratio) for tag, ratio in page.evaluate(CONTRASTS) if ratio < 4.5]
    assert not poor and len(page.evaluate(CONTRASTS)) > 100
    assert page.locator("#fragment").inner_text() == "Explored"
    inverted = page.locator("figure.plot img").evaluate("x => getComputedStyle(x).filter")
    assert (inverted != "none") == (scheme == "dark")
    assert page.locator("figure.photograph img").first.evaluate("x => getComputedStyle(x).filter") == "none"
    assert not browser.errors
    assert {address for address in browser.requests if not address.startswith("data:")} == {report.as_uri()}


def test_pictures_become_larger_by_keyboard_alone(report: Path, browser: Any) -> None:
    page = browser.open(report.as_uri(), 360)
    for name, smoothing in (("curves", "auto"), ("swaps", "pixelated"), ("small", "pixelated")):
        picture = page.get_by_alt_text(f"Green, as {name} is", exact=True)
        before = picture.bounding_box()["width"]
        page.get_by_label(f"Enlarge What {name} shows").press("Space")
        assert picture.bounding_box()["width"] > 1.9 * before
        assert picture.evaluate("x => getComputedStyle(x).imageRendering") == smoothing
    assert page.evaluate(OVERFLOW) == 0


def test_tab_reaches_contents_and_regions_and_the_first_stop_skips(report: Path, browser: Any) -> None:
    page = browser.open(report.as_uri())
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the report" and skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report"
    page.goto(report.as_uri())
    stops = []
    while len(stops) < 80 and (not stops or page.evaluate("document.activeElement !== document.body")):
        page.keyboard.press("Tab")
        stops.append(tuple(page.evaluate(FOCUS)))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or stops[-1][0] is None
    links = page.locator("nav a").evaluate_all("xs => xs.map(x => x.getAttribute('href'))")
    regions = page.locator("[role=region]")
    assert {(link, None) for link in links} <= set(stops)
    assert regions.count() > 5 and stops.count((None, "region")) == page.locator("[role=region]:visible").count()
    assert all(regions.evaluate_all("xs => xs.map(x => !!x.getAttribute('aria-label'))"))


def test_headings_tables_and_anchors_are_sound(report: Path, browser: Any) -> None:
    page = browser.open(report.as_uri())
    levels = page.locator("h1, h2, h3").evaluate_all("xs => xs.map(x => Number(x.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(now <= before + 1 for before, now in itertools.pairwise(levels))
    links = page.locator("a").evaluate_all("xs => xs.map(x => x.getAttribute('href'))")
    assert all(page.locator(f"[id='{link[1:]}']").count() == 1 for link in links)
    tables = page.locator("table")
    assert tables.count() == page.locator("table > caption").count() > 5
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("html").get_attribute("lang") == "en-GB"
    titles = [figure.title for figure in figures_made()]
    assert page.locator("#figures ~ h3").all_inner_texts() == titles


def test_hostile_names_stay_text(opened: Any, browser: Any, tmp_path: Path) -> None:
    from hicmd_tf.visualize.report import report_of

    picture = png_of(Image.new("RGB", (9, 9)))
    file = tmp_path / "report.html"
    file.write_text(report_of(opened, [Figure(HOSTILE, HOSTILE, HOSTILE, HOSTILE, picture)]))
    page = browser.open(file.as_uri())
    assert page.locator("script").count() == 0 and page.locator("img").count() == 1
    assert page.locator("img").get_attribute("alt") == HOSTILE
    assert page.locator("figcaption").inner_text() == HOSTILE and page.locator("h3").first.inner_text() == HOSTILE
    assert page.get_by_role("cell", name=HOSTILE, exact=True).count() == 1  # of the environment
    assert not browser.errors and set(browser.requests) <= {file.as_uri(), page.locator("img").get_attribute("src")}


def test_pictures_keep_their_pixels_and_moving_ones_their_frames() -> None:
    from hicmd_tf.visualize.pages import picture_uri

    def read(address: str) -> Any:
        return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))

    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    frames = [Image.new("RGB", (40, 80), (shade, 0, 0)) for shade in (0, 120, 250)]
    moving, large = read(picture_uri(gif_of(frames, 100))), png_of(Image.new("L", (17000, 1)))
    np.testing.assert_array_equal(np.asarray(read(picture_uri(png_of(Image.fromarray(noise)))).convert("RGB")), noise)
    assert moving.n_frames == 3 and moving.info["loop"] == 0
    assert picture_uri(large).startswith("data:image/png;") and read(picture_uri(large)).size == (17000, 1)


def test_a_page_without_fragments_allows_no_script(opened: Any) -> None:
    from hicmd_tf.visualize.report import report_of

    policies = [
        re.search(r'Policy" content="(.+)">', report_of(opened, figures))[1] for figures in ([], figures_made())
    ]
    assert all(policy.startswith("default-src 'none'; img-src data:;") for policy in policies)
    assert ["script-src" in policy for policy in policies] == [False, True]


def test_figures_are_shown_with_spread_and_what_they_are_compared_with(opened: Any, tmp_path: Path) -> None:
    text = text_of(opened, tmp_path, metrics=metrics_made(trials=10), untrained={})
    assert "Hi-CMD, smoke, seed 777, 0 steps" in text and "visible → infrared" in text
    assert "Hi-CMD 34.5 ± 1.2" in text and "another visible → infrared 10 12 11.1 ± 1.2" in text
    assert "untrained 8.2" in text and "raw pixels 6.1" in text and "histogram 4.1" in text and "chance 2.3" in text
    assert f"{'34.5 ± 1.2 ' * 6}{0.345 / 0.023:.1f}" in text
    assert "3 of 120 queries have no picture of their identity" in text


def test_intervals_are_of_the_run_s_own_descriptors(opened: Any, tmp_path: Path) -> None:
    from hicmd_tf.retrieval.evaluation import evaluate
    from hicmd_tf.visualize.report import certainties

    rows = evaluate(opened.descriptors, opened.samples, opened.searches)
    found = certainties(opened)
    assert [c.direction for c in found] == [row.direction for row in rows]
    for c, row in zip(found, rows, strict=True):
        assert (c.people, c.queries) == (6, 12)
        assert c.mean == row.mean and c.between["rank1"][0] <= c.mean["rank1"] <= c.between["rank1"][1]
    low, high = found[0].between["mAP"]
    text = text_of(opened, tmp_path)
    assert f"{100 * low:.1f} to {100 * high:.1f} (95&nbsp;%); chance {100 * found[0].chance['mAP']:.1f}" in text
    for c in found:  # six people and initial weights: nothing can be told from chance
        assert c.at_chance == ["rank1", "mAP"]
        direction = c.direction.replace("_to_", " → ")
        assert f"{direction}: R-1 and mAP are not above chance; 6 people are too few to tell much." in text


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"metrics": None},
            "metrics.json is missing, so there is no table of figures: run hicmd evaluate",
        ),
        ({"metrics": {"steps": 3}}, "metrics.json has no figures that this version reads"),
        ({"metrics": {"settings": [{"setting": "all"}]}}, "metrics.json has no figures that this version reads"),
        ({"metrics": {**metrics_made(), "steps": 40}}, "metrics.json is of step 40, the newest checkpoint of step 0"),
        ({"losses": None}, "losses.csv is missing, so there are no curves"),
        ({"untrained": None}, "untrained.json is missing"),
        ({"environment": None}, "environment.json is missing, so versions, machine and command are not known"),
        ({"untrained": {}}, "training stopped at step 0 of 6"),
    ],
)
def test_what_is_missing_is_said(opened: Any, tmp_path: Path, files: dict[str, Any], said: str) -> None:
    assert said in text_of(opened, tmp_path, **files)


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_damaged_file_is_one_line(opened: Any, tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match=r"metrics\.json: .*delete it") as caught:
        text_of(opened, tmp_path, metrics=content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [("mean", "rank1"), ("direction",), ("trials",), ("queries",), ("unanswered",)])
@pytest.mark.parametrize("value", ["x", None, [1]])
def test_figures_of_another_form_are_none(tmp_path: Path, place: tuple[str, ...], value: Any) -> None:
    from hicmd_tf.visualize.report import read_results

    metrics = metrics_made()
    row = metrics["settings"][0]
    (row[place[0]] if len(place) > 1 else row)[place[-1]] = value
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert read_results(tmp_path / "metrics.json").lacking


def test_what_the_run_was_warned_of_is_said(opened: Any, tmp_path: Path) -> None:
    warned = text_of(opened, tmp_path, metrics={**metrics_made(), "warnings": ["steps 1 to 9: alpha is 1 <b>"]})
    assert "the run was warned of: steps 1 to 9: alpha is 1 &lt;b&gt;." in warned
    assert "warned of" not in text_of(opened, tmp_path / "none", metrics=metrics_made())


def test_what_changed_while_the_run_trained_is_said(opened: Any, tmp_path: Path) -> None:
    change = {"step": 40, "setting": "losses.cross", "before": 50.0, "after": 10.0}
    page = text_of(opened, tmp_path, changes=[change], untrained=metrics_made())
    assert "after 40 steps losses.cross, from 50.0 to 10.0" in page
    assert "hicmd reproduce" in page and "--run" in page and "-again" not in page
    assert "While it trained" not in text_of(opened, tmp_path / "none")


def test_no_multiple_of_a_chance_of_0(tmp_path: Path) -> None:
    from hicmd_tf.visualize.report import read_results

    metrics = metrics_made()
    for figures in metrics["chance"].values():
        figures["rank1"] = 0.0
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    lines = [line for of in read_results(tmp_path / "metrics.json").directions.values() for line in of]
    assert lines and {line.multiple for line in lines} == {None}


def test_settings_unlike_base_are_marked(opened: Any) -> None:
    from hicmd_tf.visualize.report import sections

    found = {f"{name}.{x.name}": x for name, settings in sections(opened.config) for x in settings}
    assert found["data.height"][1:] == ("32", "256") and found["losses.margin"][1:] == ("0.5", None)
    assert found["networks.decoder.widths"][1:] == ("[4, 4]", "[128, 64]") and found["run.seed"].base is None


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("fit.py --config tiny --run x", "tiny"),
        ("fit.py --config=configs/mine.yaml", "mine"),
        ("fit.py --config 'configs/of mine.yaml' --run 'my runs/1'", "of mine"),
        ("fit.py --config tiny --run it's", "tiny"),
        ("fit.py --run x --config", None),
        ("", None),
    ],
)
def test_a_configuration_is_called_as_its_command_called_it(command: str, name: str | None) -> None:
    from hicmd_tf.visualize.report import configuration_name

    assert configuration_name({"command": command}) == name


def test_statistics_count_people_pictures_and_sizes() -> None:
    def encoded(width: int, height: int) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (width, height)).save(buffer, "PNG")
        return buffer.getvalue()

    pictures = [encoded(8, 16), encoded(4, 20), encoded(8, 16), b"no picture", encoded(8, 18)]
    train = Samples(
        pictures,
        list("abcde"),
        np.array([3, 3, 3, 5, 5]),
        np.array([False, False, False, False, True]),
        np.array([1, 2, 2, 1, 7]),
        {"yaw": np.array([-0.5, 0.25, 0.5, -0.001, 2.0])},
    )
    nobody = train.select(np.zeros(5, bool))
    visible, infrared = statistics(DataSplits(train, nobody, nobody))
    assert visible[:5] == ("training", "visible", 2, 4, "1, 2") and infrared[:5] == ("training", "infrared", 1, 1, "7")
    assert visible.each == (1, 2, 3) and visible.heights == (16, 16, 20) and visible.widths == (4, 8, 8)
    assert visible.size == sum(map(len, pictures[:4]))
    assert visible.factors["yaw"].shown(2) == "-0.50 / 0.12 / 0.50" and infrared.factors["yaw"].shown(2) == "2.00"
    assert Spread(1, 2.5, 4).shown() == "1 / 2.5 / 4" and Spread(-0.001, 0, 1).shown(2) == "0.00 / 0.00 / 1.00"
