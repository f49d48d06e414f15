// The style sheet of a shared page: where its parts stand at the width of a phone, of a laptop and
// of a large screen.

export const SHARE_SHEET = `
html, body { height: 100%; }
body { margin: 0; background: var(--review-ground); color: var(--review-ink);
    font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
.share, .share * { box-sizing: border-box; }
.share { display: flex; flex-direction: column; min-height: 100%; }
.share :is(button, input, select):focus-visible, .share canvas:focus-visible {
    outline: 2px solid var(--review-focus); outline-offset: 2px; }
.share-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px;
    padding: 14px 20px 10px; }
.share-head h1 { margin: 0; font-size: 1.25rem; line-height: 1.25; letter-spacing: -0.01em; }
.share-head p { margin: 0; flex: 1 1 auto; font-size: 0.875rem; }
.share-buttons { display: flex; gap: 8px; align-self: center; }
.share-buttons button { width: 34px !important; height: 34px !important; padding: 0 !important;
    font: inherit; font-size: 0.9375rem; color: var(--review-muted); cursor: pointer;
    border: 1px solid var(--review-line) !important; border-radius: 17px !important;
    background: var(--review-ground) !important; }
.share-main { display: grid; flex: 1; gap: 20px; padding: 0 20px; min-height: 0;
    grid-template-columns: minmax(0, 1fr) clamp(400px, 34vw, 640px); }
.share-stage { display: flex; flex-direction: column; gap: 8px; min-width: 0; position: sticky;
    top: 0; height: calc(100vh - 102px); min-height: 420px; }
.share-large { flex: 1; min-height: 0; border: 1px solid var(--review-line); border-radius: 14px;
    overflow: hidden; }
.share-timeline { padding: 0 2px; }
.share-pane { display: flex; flex-direction: column; gap: 14px; min-width: 0;
    height: calc(100vh - 102px); min-height: 420px; overflow: auto; padding-right: 4px;
    scrollbar-width: thin; }
.share-ends { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; flex: none; }
.share-end { aspect-ratio: 1.06; border: 1px solid var(--review-line); border-radius: 14px;
    overflow: hidden; }
.share[data-ends="0"] .share-ends { display: none; }
.share:not([data-shown=lists]) .share-lists, .share:not([data-shown=list]) .share-gallery,
.share:not([data-shown=image]) .share-card { display: none; }

/* The picture is small, so it stands beside the title; the menu of lists is the way back. */
.share .review-card { container-type: inline-size; height: auto; overflow: visible;
    outline: none; }
.share .review-body { padding: 0; height: auto; gap: 4px 14px; align-items: start;
    grid-template: auto 1fr auto / 112px minmax(0, 1fr); }
.share .review-card .review-picture { grid-row: 1 / span 2; height: 112px; border-radius: 10px; }
.share .review-side { display: contents; }
.share .review-rest { grid-column: 1 / -1; padding-top: 8px; }
.share :is(.review-list, .review-more, .review-state) { display: none; }
.share .review-card .review-nav button { width: 40px; height: 32px; text-align: center;
    border-color: var(--review-line); border-radius: 16px; }
.share [data-test-tag=review-why] > * { flex: 1 1 100% !important; }
.share .review-label { font-size: 1.25rem; }
.share .review-rest [data-test-tag^=nearest] img { max-height: none !important;
    aspect-ratio: 1; object-fit: cover !important; border-radius: 6px; }
.share-foot { display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 8px 20px 10px;
    font-size: 0.75rem; color: var(--review-muted); }
.share-credit { margin-left: auto; }

.share .rl { height: auto; padding: 0; overflow: visible; font-size: 0.875rem; }
.share .rl ul { overflow: visible; }
.share .rl-row { contain-intrinsic-size: auto 104px; }
.share .rl-open { padding: 9px 6px; border-radius: 8px; }
.share .rl-title { font-weight: 600; }
.share .rl-count { color: var(--review-muted); }
.share .rl-now { background: none; }

@media (max-height: 900px) and (min-width: 901px) {
    .share[data-shown=image] .share-ends { display: none; }
}
@media (min-width: 1700px) {
    .share-head { padding: 20px 28px 14px; }
    .share-head h1 { font-size: 1.5rem; }
    .share-main { gap: 28px; padding: 0 28px; }
    .share-foot { padding: 8px 28px 12px; }
    .share-stage, .share-pane { height: calc(100vh - 116px); }
    .share [data-test-tag=review-why] { font-size: 0.875rem !important; }
    .gallery-images { grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); }
    .timeline-curves { min-height: 76px; }
}
@media (max-width: 900px) {
    .share-head { padding: 10px 14px 6px; align-items: center; }
    .share-head h1 { font-size: 1.0625rem; flex: 1 1 0; min-width: 0; }
    .share-head p { order: 3; flex: 1 1 100%; font-size: 0.75rem; }
    .share-main { display: block; padding: 0; }
    .share-stage { height: auto; min-height: 0; z-index: 4; background: var(--review-ground);
        padding: 0 8px 8px; border-bottom: 1px solid var(--review-line); }
    .share-large { flex: none; height: min(92vw, 44vh); min-height: 240px; }
    .timeline { grid-template-columns: auto minmax(0, 1fr) auto; gap: 2px 8px; }
    .timeline-curves { grid-column: 1 / -1; grid-row: 1; min-height: 50px; }
    .timeline-row { display: contents; }
    .timeline-row button:not(:first-child) { display: none; }
    .timeline-row button:first-child { grid-column: 1; grid-row: 2; }
    .timeline-range { grid-column: 2; grid-row: 2; }
    .timeline-range input { height: 44px; width: 100%; margin: 0; }
    .timeline-step { grid-column: 3; grid-row: 2; width: auto; min-width: 76px; }
    .timeline-step .review-muted { display: none; }
    .share-pane { height: auto; min-height: 50vh; overflow: visible; padding: 12px 14px; }
    .share-ends { display: none; }
    .share:not([data-shown=lists]) .share-large { height: min(78vw, 36vh); }
    .share .rl-open { min-height: 44px; }
    .gallery-images { grid-template-columns: repeat(auto-fill, minmax(68px, 1fr)); }
    .share-credit { margin-left: 0; }
}
@media (max-width: 900px) and (max-height: 620px) {
    .share-stage { position: static; }
}
@media (pointer: coarse) {
    .share [data-test-tag=map-legend] :is(button, select) { min-height: 34px; }
    .share .gallery-back { min-height: 44px; }
}
@media (prefers-reduced-motion: no-preference) {
    .gallery-image img { transition: filter 120ms; }
}
`;
