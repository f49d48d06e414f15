"""A map of a page in a browser: where an image is on it, and what a person does with it."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Locator, Page


@dataclass(frozen=True)
class MapOnPage:
    """A map, by its number from the left."""

    page: Page
    number: int

    @property
    def widget(self) -> Locator:
        return self.page.locator(f"[data-test-tag=map-{self.number}]")

    @property
    def canvas(self) -> Locator:
        """The upper one, which hears the pointer."""
        return self.widget.locator("canvas").nth(1)

    @property
    def box(self) -> dict[str, float]:
        box = self.canvas.bounding_box()
        assert box is not None
        return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}

    @property
    def placement(self) -> tuple[float, float, float]:
        """``x * scale + left`` and ``top - y * scale`` are CSS pixels in the canvas."""
        text = self.canvas.get_attribute("data-placement")
        assert text is not None
        scale, left, top = map(float, text.split())
        return scale, left, top

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the data is in the window."""
        scale, left, top = self.placement
        return self.box["x"] + x * scale + left, self.box["y"] + top - y * scale

    def hover(self, x: float, y: float) -> Locator:
        """Point at a place of the data; gives the card of the image there."""
        self.page.mouse.move(*self.at(x, y))
        return self.widget.locator("[data-test-tag=map-hover]")

    def lasso(self, corners: list[tuple[float, float]], add: bool = False) -> None:
        """Draw around places of the data with Shift."""
        keys = ["Shift", "Control"] if add else ["Shift"]
        points = [self.at(*corner) for corner in corners]
        for key in keys:
            self.page.keyboard.down(key)
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*point, steps=6)
        self.page.mouse.up()
        for key in keys:
            self.page.keyboard.up(key)

    def painted(self) -> int:
        """How many pixels of the points' canvas are not of the ground."""
        count: int = self.widget.locator("canvas").first.evaluate(
            """canvas => {
                const { data } = canvas.getContext("2d")
                    .getImageData(0, 0, canvas.width, canvas.height);
                const pixels = new Uint32Array(data.buffer);
                return pixels.filter((one) => one !== pixels[0]).length;
            }"""
        )
        return count
