"""Pieces of the page that both of its halves use. Whatever comes from data is text or an attribute, never HTML."""

from collections.abc import Callable
from typing import Any

import numpy as np
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments
from PIL import Image

from hicmd_tf.explorer.studio import Studio
from hicmd_tf.notation import MODALITIES, VISIBLE, Modality
from hicmd_tf.visualize.figure import data_uri, png_of

Array = np.ndarray[Any, Any]

PAGE = 24  # thumbnails
STEP = 0.05  # of a slider
THROTTLE = 0.05  # seconds between two of its positions that are told
ADDRESS = "/pictures/"


def text(tag: str, words: str, classes: str = "") -> TextElement:
    """An element of HTML with some words in it."""
    return TextElement(tag=tag, text=words).classes(classes)


def picture(source: str, alternative: str) -> ui.element:
    """A picture with what it shows, for who can't see it."""
    return redraw(ui.element("img"), source, alternative)


def redraw(image: ui.element, source: str, alternative: str) -> ui.element:
    """Puts another picture in the place of one."""
    image.props.update(src=source, alt=alternative)
    return image


def address(row: int) -> str:
    """Where the server has one of the run's pictures."""
    return f"{ADDRESS}{row}"


def inline(pixels: Array) -> str:
    """A picture uint8 (H, W, 3) as an address that holds it."""
    return data_uri(png_of(Image.fromarray(pixels)), "image/png")


def modality_toggle(label: str, chosen: Callable[[], Any]) -> ui.toggle:
    """Two buttons, of which one is pressed: visible or infrared."""
    toggle = ui.toggle(list(MODALITIES), value=VISIBLE, on_change=chosen).props(
        "no-caps unelevated toggle-text-color=onaccent"
    )
    toggle.props.update({"role": "group", "aria-label": label})
    return toggle


class Slider:
    """The browser's own slider from 0 to 1, which keys move and screen readers name; `moved` is called as it moves.

    value: where it is. The browser keeps its own: what comes back from here must not pull at a slider that is held.
    """

    def __init__(self, label: str, moved: Callable[[], Any]) -> None:
        self.value, self._moved = 0.0, moved
        self._input = ui.element("input")
        self._input.props.update({"type": "range", "min": 0, "max": 1, "step": STEP, "^value": 0, "aria-label": label})
        number = "(event) => emit(event.target.valueAsNumber)"
        self._input.on("input", self._slid, js_handler=number, throttle=THROTTLE)

    def _slid(self, event: GenericEventArguments) -> Any:
        self.value = min(max(float(event.args), 0.0), 1.0)
        return self._moved()

    def move(self, value: float) -> None:
        """Puts it somewhere, which `moved` isn't told."""
        self.value = value
        ui.run_javascript(f"getHtmlElement({self._input.id}).value = {value}")


class Picker:
    """Thumbnails of the run's pictures by modality and person, page by page; `chosen` is called with a row."""

    def __init__(self, studio: Studio, chosen: Callable[[int], Any]) -> None:
        self._studio, self._chosen, self._start = studio, chosen, 0
        self._pressed: int | None = None
        with ui.element("div").classes("line"):
            self._modality = modality_toggle("modality", self._from_the_start)
            people: dict[int | None, str] = {None: "everyone"}
            people.update(studio.people.items())
            self._identity = ui.select(
                people, value=None, label="person", with_input=True, on_change=self._from_the_start
            )
            self._identity.props("dense outlined options-dense")
        self._thumbs = ui.element("div").classes("thumbs")
        with ui.element("nav").classes("line") as pages:
            pages.props.update({"aria-label": "pages of pictures"})
            self._before = ui.button("previous", on_click=lambda: self._turn(-PAGE)).props("flat no-caps")
            self._range = ui.label().props("role=status")
            self._after = ui.button("next", on_click=lambda: self._turn(PAGE)).props("flat no-caps")
        self._fill()

    def _from_the_start(self) -> None:
        self._start = 0
        self._fill()

    def _turn(self, by: int) -> None:
        self._start += by
        self._fill()

    def _fill(self) -> None:
        modality: Modality = self._modality.value
        rows = self._studio.rows(modality, self._identity.value)
        shown = rows[self._start : self._start + PAGE]
        self._buttons: dict[int, ui.element] = {}
        self._thumbs.clear()
        with self._thumbs:
            for row in shown:
                self._buttons[row] = self._thumb(row)
        self._range.text = f"{self._start + 1} to {self._start + len(shown)} of {len(rows)}" if rows else "no picture"
        self._before.set_enabled(self._start > 0)
        self._after.set_enabled(self._start + PAGE < len(rows))

    def _thumb(self, row: int) -> ui.element:
        with ui.element("button").classes("thumb").on("click", lambda: self._press(row), args=[]) as button:
            button.props.update({"type": "button", "aria-pressed": str(row == self._pressed).lower()})
            picture(address(row), self._studio.words(row))
            ui.label(self._studio.run.samples.identity(row)).props("aria-hidden=true")
        return button

    def _press(self, row: int) -> Any:
        for number, button in self._buttons.items():
            if (number == row) != (number == self._pressed):
                button.props["aria-pressed"] = str(number == row).lower()
        self._pressed = row
        return self._chosen(row)
