"""How pages in one file look: light and dark, on a phone and on paper, without scripts. Owns the
frame that they have in common."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

from review_embeddings.pipeline.text import html_text

THUMBNAIL = 112
"""Longest side of a picture on the page, in pixels."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a page may load: nothing but what is in it."""

# the colours are those of the review page (dom/theme.js), light and dark
STYLE = """
:root { color-scheme: light; --ink: #1f2937; --muted: #4b5563; --line: #c3ccd5; --ground: #fff;
  --raised: #f1f4f8; --given: #1a5fd0; --good: #1b6e35; --bad: #b3261e; --warn: #7a4a00; }
@media (prefers-color-scheme: dark) { :root { color-scheme: dark; --ink: #e6eaf0; --muted: #abb5c3;
  --line: #3a4452; --ground: #14181f; --raised: #1e242d; --given: #7db0ff; --good: #6fd693;
  --bad: #ff9a91; --warn: #f2bd5c; } }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1080px;
  padding: 0 1rem; color: var(--ink); background: var(--ground); overflow-wrap: anywhere;
  -webkit-text-size-adjust: 100%; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .6rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
a { color: var(--given); } .muted { color: var(--muted); }
nav ul { list-style: none; margin: 1rem 0 0; padding: 0; display: flex; flex-wrap: wrap;
  gap: .3rem 1.2rem; }
dl.properties { display: grid; grid-template-columns: max-content minmax(0, 1fr);
  gap: .15rem .8rem; margin: 0; font-variant-numeric: tabular-nums; }
dl.properties dt { color: var(--muted); } dl.properties dd { margin: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .15rem .8rem .15rem 0; text-align: right; }
th { font-weight: 600; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
.images { display: flex; flex-wrap: wrap; gap: .8rem; } figure { margin: 0; width: 116px; }
figcaption { font-size: .78rem; }
figure img { width: 112px; height: 112px; object-fit: contain; background: var(--raised);
  border: 1px solid var(--line); }
.none { width: 112px; height: 112px; display: inline-flex; align-items: center;
  justify-content: center; text-align: center; font-size: .78rem; color: var(--muted);
  border: 1px dashed var(--line); vertical-align: top; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr));
  gap: 1.4rem 1.6rem; }
figure.card { width: auto; min-width: 0; display: grid; gap: .5rem .8rem; align-content: start;
  grid-template-columns: 112px minmax(0, 1fr); }
figure.card figcaption { font-size: .82rem; line-height: 1.35; }
figure.card ul { margin: .1rem 0; padding-left: 1rem; }
figure.card .ends { color: var(--muted); font-variant-numeric: tabular-nums; margin: 0; }
.good { color: var(--good); } .bad { color: var(--bad); }
.curves { grid-column: 1 / -1; font-size: .75rem; }
.curves svg { display: block; width: 100%; height: 40px; border-top: 1px dotted var(--line);
  border-bottom: 1px solid var(--line); }
.curves path { fill: none; stroke: currentColor; stroke-width: 1.5px;
  vector-effect: non-scaling-stroke; }
.curves path.dots { stroke-width: 4px; stroke-linecap: round; stroke-dasharray: none; }
.curves path.last { stroke-width: 7px; stroke-linecap: round; stroke-dasharray: none; }
.curves .legend, .curves .axis { color: var(--muted); font-variant-numeric: tabular-nums; }
.curves .drawn { position: relative; padding-right: 36px; }
.curves .drawn span { position: absolute; right: 0; color: var(--muted); }
.curves .drawn span:first-of-type { top: 0; } .curves .drawn span:last-of-type { bottom: 0; }
.curves .axis { display: flex; justify-content: space-between; padding-right: 36px; }
.given { color: var(--given); } .suggested { color: var(--warn); } .outlier { color: var(--bad); }
.curves g.suggested path { stroke-dasharray: 4 2; }
.plots { display: grid; gap: 1rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 310px), 1fr)); }
.plots img { display: block; width: 100%; height: auto; }
.scroll { max-height: 22rem; overflow: auto; display: inline-block; max-width: 100%;
  padding-right: 1rem; }
@media (max-width: 780px) {
  body { margin: 1rem auto; }
  table.stacked, .stacked tbody, .stacked tr, .stacked td { display: block; }
  .stacked tr.heading { display: none; }
  .stacked tr { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 1rem;
    padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stacked td { display: flex; justify-content: space-between; gap: .6rem; padding: 0; }
  .stacked td:empty { display: none; } .stacked td:first-child { grid-column: 1 / -1;
    font-weight: 600; }
  .stacked td::before { content: attr(data-name); color: var(--muted); font-weight: 400;
    text-align: left; }
  .scroll { display: block; padding-right: .4rem; }
}
@media (max-width: 480px) { dl.properties { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dl.properties dd { margin: 0 0 .4rem; } }
@media print { .scroll { max-height: none; } figure { break-inside: avoid; } }
"""


def document(title: str, parts: Iterable[str], more_style: str = "") -> str:
    """A whole page of some parts of HTML. ``title`` is plain text."""
    name = html_text(title)
    head = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html_text(POLICY)}">'
        f'<title>{name}</title><meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}{more_style}</style></head><body><h1>{name}</h1>"
    )
    return "\n".join([head, *parts, "</body></html>", ""])


def picture_address(data: bytes) -> str:
    """A small JPEG or PNG as a data address."""
    from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb

    try:
        picture = to_rgb(decode(data))
    except UNREADABLE:
        return ""
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    kind = "PNG" if max(picture.size) <= 64 else "JPEG"
    picture.save(buffer, kind, **({} if kind == "PNG" else {"quality": 85}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
