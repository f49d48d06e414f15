"""Measures a page in a browser: whether all of ours is seen, by the boxes of its elements."""

from __future__ import annotations

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

FAULTS = """() => {
    const faults = [];
    const box = (element) => element.getBoundingClientRect();
    const isSeen = (element) =>
        box(element).width > 0 && box(element).height > 0 && element.checkVisibility();
    const name = (element) => `${element.tagName} "${(element.getAttribute("aria-label") ||
        element.title || element.textContent || "").trim().slice(0, 40)}"`;
    const scrolls = (element, axis) =>
        ["auto", "scroll"].includes(getComputedStyle(element)[`overflow${axis}`]);

    for (const strip of document.querySelectorAll(".flexlayout__tabset_tabbar_outer")) {
        const buttons = strip.querySelector(".flexlayout__tab_toolbar");
        const end = buttons ? box(buttons).left : box(strip).right;
        for (const title of strip.querySelectorAll(".flexlayout__tab_button_content")) {
            if (title.scrollWidth > title.clientWidth + 1 || box(title).right > end + 1)
                faults.push(`title cut: ${title.textContent}`);
        }
    }
    for (const host of document.querySelectorAll("[data-review]")) {
        const area = host.closest(".flexlayout__tab") ?? host.closest("nav") ?? document.body;
        const { left, right, top, bottom } = box(area);
        for (const element of host.querySelectorAll("*")) {
            if (!isSeen(element)) continue;
            const where = `${host.dataset.review} ${name(element)}`;
            if (scrolls(element, "X") && element.scrollWidth > element.clientWidth + 1)
                faults.push(`scrolls sideways: ${where}`);
            const isRead = element.matches("button, input, select, textarea, img, canvas") ||
                (element.children.length === 0 && element.textContent.trim() !== "");
            if (!isRead) continue;
            const own = box(element);
            if (own.left < left - 1 || own.right > right + 1)
                faults.push(`cut at a side: ${where}`);
            let above = element.parentElement;
            while (above !== host && !scrolls(above, "Y")) above = above.parentElement;
            if (above === host && (own.top < top - 1 || own.bottom > bottom + 1))
                faults.push(`cut below: ${where}`);
            if (element.matches("button") && element.scrollWidth > element.clientWidth + 1)
                faults.push(`cut inside: ${where}`);
        }
    }
    const whole = document.documentElement;
    if (whole.scrollWidth > innerWidth || whole.scrollHeight > innerHeight)
        faults.push("the page is larger than the window");
    return faults;
}"""
"""What is cut, or scrolls sideways: nothing of ours may, and no title of a tab. What a panel
scrolls down to is not cut."""

PATIENCE = 5000
"""Milliseconds in which a page finds its final shape."""


def faults_of(page: Page) -> list[str]:
    """What is wrong with the boxes once the page does not change any more; empty where nothing
    is."""
    try:
        page.wait_for_function(f"({FAULTS})().length === 0", timeout=PATIENCE)
    except PlaywrightTimeout:
        return list(page.evaluate(FAULTS))
    return []
