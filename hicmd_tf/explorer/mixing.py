"""The half of the page that mixes the codes of two pictures and shows what G makes of them."""

import asyncio
from typing import Any, NamedTuple

import numpy as np
from nicegui import ui

from hicmd_tf.explorer.latest import Latest
from hicmd_tf.explorer.parts import Picker, Slider, address, inline, picture, redraw, text
from hicmd_tf.explorer.studio import SWAPS, Mixture, Studio
from hicmd_tf.notation import INFRARED, VISIBLE

Array = np.ndarray[Any, Any]

MEANING = {
    "prototype": "shape and pattern",
    "style": "clothes",
    "pose": "stance and view",
    "illumination": "light and camera",
}


class Wanted(NamedTuple):
    """Rows of A and B, and how their codes are mixed."""

    a: int
    b: int
    mixture: Mixture


class Mixing:
    """Two pictures A and B, a slider for each part of their codes, and the generated picture between them."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._rows = _first_pair(studio)
        self._images: dict[str, ui.element] = {}
        self._captions: dict[str, Any] = {}
        self._latest = Latest(self._made, self._show)
        with ui.element("section").classes("panel mixing"):
            text("h2", "Codes from A to B")
            with ui.element("div").classes("three"):
                self._chosen_picture("A")
                with ui.element("figure"):
                    self._generated = picture(address(self._rows["A"]), "generated picture, not made yet")
                    self._generated.props["aria-busy"] = "true"
                    text("figcaption", "generated")
                self._chosen_picture("B")
            self._sliders = {part: self._slider(part) for part in Mixture._fields}
            with ui.element("div").classes("line buttons"):
                for label, mixture in SWAPS.items():
                    ui.button(label, on_click=lambda m=mixture: self._set(m)).props("outline no-caps")

    def _chosen_picture(self, which: str) -> None:
        with ui.dialog() as dialog, ui.card().classes("chooser"):
            text("h2", f"Picture {which}")

            async def choose(row: int) -> None:
                self._rows[which] = row
                self._describe(which)
                dialog.close()
                await self.refresh()

            Picker(self._studio, choose)
            ui.button("cancel", on_click=dialog.close).props("flat no-caps")
        with ui.element("figure"):
            self._images[which] = ui.element("img")
            self._captions[which] = text("figcaption", "")
            ui.button(f"choose {which}", on_click=dialog.open).props("flat no-caps dense")
        self._describe(which)

    def _describe(self, which: str) -> None:
        row = self._rows[which]
        words = self._studio.words(row)
        redraw(self._images[which], address(row), f"picture {which}: {words}")
        self._captions[which].text = f"{which}: {words}"

    def _slider(self, part: str) -> Slider:
        with ui.element("div").classes("ends"):
            text("span", "A", "faint")
            text("span", f"{part}: {MEANING[part]}")
            text("span", "B", "faint")
        return Slider(f"{part}, from A to B", self.refresh)

    async def _set(self, mixture: Mixture) -> None:
        for part, share in mixture._asdict().items():
            self._sliders[part].move(share)
        await self.refresh()

    async def refresh(self) -> None:
        """Has the picture made that the sliders ask for."""
        self._generated.props["aria-busy"] = "true"
        mixture = Mixture(*(slider.value for slider in self._sliders.values()))
        await self._latest.ask(Wanted(self._rows["A"], self._rows["B"], mixture))

    async def _made(self, wanted: Wanted) -> Array:
        return await asyncio.to_thread(self._studio.mixed, *wanted)

    def _show(self, wanted: Wanted, pixels: Array) -> None:
        if not self._generated.is_deleted:
            shares = ", ".join(f"{part} {share:.2f}" for part, share in wanted.mixture._asdict().items())
            self._generated.props["aria-busy"] = "false"
            redraw(self._generated, inline(pixels), f"generated from A to B: {shares}")


def _first_pair(studio: Studio) -> dict[str, int]:
    """Two pictures to begin with: one person in both modalities, where there is such a person."""
    a, samples = studio.rows(VISIBLE)[0], studio.run.samples
    same = studio.rows(INFRARED, int(samples.identities[a])) if samples.known[a] else []
    return {"A": a, "B": (same or studio.rows(INFRARED))[0]}
