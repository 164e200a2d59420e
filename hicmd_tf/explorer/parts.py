"""Pieces of the page that both of its halves use. Whatever comes from data is text or an attribute, never HTML."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from hicmd_tf.explorer.studio import Studio
from hicmd_tf.notation import MODALITIES, VISIBLE, Modality
from hicmd_tf.pictures.decode import as_png
from hicmd_tf.visualize.figure import data_uri

Array = np.ndarray[Any, Any]
Asked = TypeVar("Asked")
Made = TypeVar("Made")

PAGE = 24  # thumbnails
ADDRESS = "/pictures/"


class Latest(Generic[Asked, Made]):
    """Work that may be asked for faster than it is done: what waits is replaced by what is asked for last.

    Args:
        work: done in a thread, for one thing at a time.
        show: called with each thing and what was made of it.
    """

    def __init__(self, work: Callable[[Asked], Made], show: Callable[[Asked, Made], None]) -> None:
        self._work, self._show = work, show
        self._waiting: list[Asked] = []
        self._busy = False

    async def ask(self, wanted: Asked) -> None:
        """Has a thing made, at once or after the one under way; what waited until now is never made."""
        self._waiting = [wanted]
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                current = self._waiting.pop()
                self._show(current, await asyncio.to_thread(self._work, current))
        finally:
            self._busy = False


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
    return data_uri(as_png(pixels), "image/png")


def modality_toggle(label: str, chosen: Callable[[], Any], first: Modality | None = VISIBLE) -> ui.toggle:
    """Two buttons, visible and infrared. first: which is pressed before anyone chooses."""
    toggle = ui.toggle(list(MODALITIES), value=first, on_change=chosen)
    toggle.props("no-caps unelevated toggle-text-color=onaccent")
    toggle.props.update({"role": "group", "aria-label": label})
    return toggle


class Picker:
    """Thumbnails of the run's pictures by modality and person, page by page; `chosen` is called with a row."""

    def __init__(self, studio: Studio, chosen: Callable[[int], Any]) -> None:
        self._studio, self._chosen, self._start = studio, chosen, 0
        self._pressed: int | None = None
        with ui.element("div").classes("line"):
            self._modality = modality_toggle("modality", self._turn)
            people: dict[int | None, str] = {None: "everyone"}
            people.update(studio.people.items())
            self._identity = ui.select(people, value=None, label="person", with_input=True, on_change=self._turn)
            self._identity.props("dense outlined options-dense")
        self._thumbs = ui.element("div").classes("thumbs")
        with ui.element("nav").classes("line") as pages:
            pages.props.update({"aria-label": "pages of pictures"})
            self._before = ui.button("previous", on_click=lambda: self._turn(self._start - PAGE)).props("flat no-caps")
            self._range = ui.label().props("role=status")
            self._after = ui.button("next", on_click=lambda: self._turn(self._start + PAGE)).props("flat no-caps")
        self._turn()

    def _turn(self, start: int = 0) -> None:
        """Shows the page that begins there."""
        self._start, rows = start, self._studio.rows(self._modality.value, self._identity.value)
        shown = rows[start : start + PAGE]
        self._thumbs.clear()
        with self._thumbs:
            self._buttons = {row: self._thumb(row) for row in shown}
        self._range.text = f"{start + 1} to {start + len(shown)} of {len(rows)}" if rows else "no picture"
        self._before.set_enabled(start > 0)
        self._after.set_enabled(start + PAGE < len(rows))

    def _thumb(self, row: int) -> ui.element:
        with ui.element("button").classes("thumb").on("click", lambda: self._press(row), args=[]) as button:
            button.props.update({"type": "button", "aria-pressed": str(row == self._pressed).lower()})
            picture(address(row), self._studio.words(row))
            ui.label(self._studio.run.samples.identity(row)).props("aria-hidden=true")
        return button

    def _press(self, row: int) -> Any:
        self._pressed = row
        for number, button in self._buttons.items():
            button.props["aria-pressed"] = str(number == row).lower()
        return self._chosen(row)
