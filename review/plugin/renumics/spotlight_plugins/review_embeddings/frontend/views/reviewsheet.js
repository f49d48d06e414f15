// The style sheet of the review card: its layout follows the size of its panel, not of the screen.
// What lies over the page has a sheet of its own, overlaysheet.js.

export const REVIEW_SHEET = `
.review-card { container-type: size; height: 100%; overflow: hidden; position: relative;
    background: var(--review-ground, #fff); color: var(--review-ink, #1f2937); font-size: 0.8125rem;
    line-height: 1.35; }
.review-card *, .review-over * { box-sizing: border-box; }
.review-body { display: grid; gap: 12px; height: 100%; padding: 8px; box-sizing: border-box;
    grid-template-columns: minmax(120px, min(calc(100cqh - 16px), 40cqw)) minmax(0, 1fr); }
.review-side { display: flex; flex-direction: column; gap: 6px; min-height: 0; overflow: auto;
    padding: 2px; container: side / inline-size; }
.review-side > * { flex: none; }
.review-side > .review-rest { flex: 1 1 auto; }
.review-row { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 6px; }
/* Both ends are seen at once, where that leaves their pictures a size. */
.review-rest [data-test-tag^=nearest] img { max-height: max(40px, calc((100cqh - 226px) / 2)); }
.review-muted { color: var(--review-muted, #4b5563); font-variant-numeric: tabular-nums; }
.review-wrong { color: var(--review-bad, #b3261e); font-weight: 600; }
.review-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); white-space: nowrap; }

.review-card button, .review-over button { font: inherit; color: inherit; cursor: pointer;
    padding: 3px 7px; min-height: 26px; border-radius: 5px; text-align: left;
    border: 1px solid var(--review-edge, #6b7787); background: var(--review-ground, #fff); }
.review-card button:hover:enabled, .review-over button:hover:enabled {
    background: var(--review-raised, #f1f4f8); }
.review-card button:disabled, .review-over button:disabled { cursor: default; opacity: 1;
    border: 1px dashed var(--review-line, #c3ccd5); color: var(--review-muted, #4b5563); }
.review-card :is(button, input, select, summary, a):focus-visible,
.review-over :is(button, input, select, summary, a):focus-visible {
    outline: 2px solid var(--review-focus, #1a5fd0); outline-offset: 1px; }
.review-card input:not([type=checkbox]), .review-card select { font: inherit; color: inherit;
    background: var(--review-ground, #fff); border: 1px solid var(--review-edge, #6b7787);
    border-radius: 5px; padding: 3px 6px; min-height: 26px; min-width: 0; }
.review-card input::placeholder { color: var(--review-muted, #4b5563); opacity: 1; }
.review-card kbd, .review-over kbd { font: 12px ui-monospace, monospace; margin-left: 6px; }
.review-card button:enabled kbd { opacity: .9; }
.review-card .review-main:enabled, .review-over .review-main:enabled { font-weight: 600;
    background: var(--review-accent, #1a5fd0); color: var(--review-accent-ink, #fff);
    border-color: var(--review-accent, #1a5fd0); }
.review-card .review-main:hover:enabled, .review-over .review-main:hover:enabled {
    background: var(--review-accent, #1a5fd0); filter: brightness(1.08); }
.review-card .review-holds { box-shadow: inset 0 0 0 2px var(--review-accent, #1a5fd0);
    font-weight: 600; }

.review-card .review-picture { display: block; width: 100%; height: 100%; min-height: 0;
    padding: 0; border: 0; background: var(--review-raised, #f1f4f8); cursor: zoom-in;
    overflow: hidden; position: relative; }
.review-picture img { display: block; width: 100%; height: 100%; object-fit: contain; }
.review-broken { display: block; padding: 12px; }
.review-mark { position: absolute; top: 6px; left: 6px; padding: 0 7px; border-radius: 9px;
    font-weight: 600; background: var(--review-accent, #1a5fd0);
    color: var(--review-accent-ink, #fff); }
.review-list { flex: 1 1 150px; max-width: 440px; }
.review-head > * { flex: none; }
.review-head > .review-list { flex: 1 1 110px; }
.review-head > .review-nav { flex: 0 1 auto; }
.review-head > .review-more { margin-left: auto; }
@container side (max-width: 900px) { .review-wide { display: none; } }
.review-last { color: var(--review-muted, #4b5563); }
.review-said { align-items: baseline; }
.review-said > .review-title { flex: 1 1 auto; }
.review-state { font-size: 0.75rem; margin-left: auto; }
.review-position { min-width: 72px; text-align: center; font-weight: 600;
    font-variant-numeric: tabular-nums; }
.review-progress { height: 3px; border-radius: 2px; overflow: hidden;
    background: var(--review-line, #c3ccd5); }
.review-progress > div { height: 100%; background: var(--review-accent, #1a5fd0); }
.review-title { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 8px;
    overflow-wrap: break-word; }
.review-label { font-size: 1.0625rem; font-weight: 700; }
.review-better { color: var(--review-warn, #7a4a00); font-size: 0.9375rem; }
.review-title .review-long { font-size: 0.8125rem; }
.review-decided { font-weight: 600; padding: 0 7px; border-radius: 9px;
    background: var(--review-accent-ground, #e8f0fe); color: var(--review-accent, #1a5fd0); }
.review-decide button { max-width: 100%; overflow-wrap: break-word; }
.review-end { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center;
    padding: 4px 8px; border-radius: 6px; background: var(--review-good-ground, #e7f5ea); }
.review-note { display: flex; gap: 6px; align-items: center; overflow-wrap: break-word; }
.review-note input { flex: 1 1 160px; }
.review-searching { display: flex; gap: 6px; }
.review-search { flex: 1; }
.review-more { position: relative; }
.review-more > summary { list-style: none; cursor: pointer; padding: 2px 9px; border-radius: 5px;
    border: 1px solid var(--review-edge, #6b7787); font-weight: 700; }
.review-more > summary::-webkit-details-marker { content: ""; }
.review-popup { position: absolute; right: 0; top: 30px; z-index: 5; width: max-content;
    max-width: 260px; padding: 8px 10px; display: flex; flex-direction: column; gap: 6px;
    background: var(--review-ground, #fff); border: 1px solid var(--review-edge, #6b7787);
    border-radius: 6px; box-shadow: 0 4px 14px #0004; }
.review-popup input { flex: 1 1 0; }
.review-popup form > button { flex: none; }
.review-popup [role=alert] { flex: 1 1 100%; }
.review-popup label { display: flex; gap: 6px; align-items: center; cursor: pointer; }

.review-classes { display: flex; flex-direction: column; overflow: auto; margin: 0; padding: 0;
    min-height: 84px; flex: 1 1 auto; border: 1px solid var(--review-line, #c3ccd5);
    border-radius: 5px; }
.review-class { display: flex; gap: 10px; padding: 3px 8px; cursor: pointer; flex: none;
    overflow-wrap: break-word; }
.review-class > span:first-child { flex: 1; }
.review-class[aria-selected=true] { background: var(--review-accent, #1a5fd0);
    color: var(--review-accent-ink, #fff); }
.review-class:not([aria-selected=true]):hover { background: var(--review-raised, #f1f4f8); }
.review-finding { display: flex; flex-direction: column; gap: 6px;
    min-height: 116px; }
.review-side > .review-finding { flex: 1 1 auto; }

.review-strip { display: flex; gap: 6px; align-items: center; overflow: auto; padding: 4px;
    border-radius: 6px; background: var(--review-accent-ground, #e8f0fe); }
.review-strip b { white-space: nowrap; flex: none; }
.review-card .review-strip .review-thumb { padding: 0; border: 2px solid transparent; flex: none;
    min-height: 0; background: transparent; }
.review-thumb img { display: block; width: 40px; height: 40px; object-fit: contain; }

@container side (max-width: 440px) {
    .review-nav > .review-count { display: none; } /* the menu says it, and the bar shows it */
}
@container (max-width: 559px) {
    .review-body { grid-template-columns: minmax(0, 1fr); gap: 6px;
        grid-template-rows: minmax(72px, 36cqh) minmax(0, 1fr); }
}
@container (max-height: 359px) {
    .review-last { position: absolute; width: 1px; height: 1px; overflow: hidden;
        clip-path: inset(50%); white-space: nowrap; } /* it is read out all the same */
    .review-side { gap: 4px; }
    .review-card .review-decide button { padding: 2px 5px; min-height: 24px; }
    .review-card .review-decide kbd { margin-left: 4px; }
    .review-decide { gap: 4px; font-size: 0.7812rem; }
    .review-label { font-size: 0.9375rem; }
    .review-better { font-size: 0.875rem; }
}
`;
