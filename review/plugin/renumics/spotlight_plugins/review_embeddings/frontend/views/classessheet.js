// The style sheet of the class view.
// Sizes and colours only; what is drawn is in views/class*.js.

export const CLASSES_SHEET = `
.rc { display: flex; flex-direction: column; height: 100%; box-sizing: border-box; padding: 6px 8px;
    gap: 6px; font-size: 0.8125rem; line-height: 1.35; overflow: hidden;
    background: var(--review-ground, #fff); color: var(--review-ink, #1f2937); }
.rc-head { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; flex: none; }
.rc-tabs { display: flex; }
.rc button, .rc select, .rc input { font: inherit; color: inherit; border-radius: 5px;
    background: var(--review-ground, #fff); border: 1px solid var(--review-edge, #6b7787);
    padding: 3px 8px; }
.rc button { cursor: pointer; text-align: left; }
.rc button:hover:enabled { background: var(--review-raised, #f1f4f8); }
.rc button:disabled { cursor: default; color: var(--review-muted, #4b5563); }
.rc .rc-tabs button { border-radius: 0; margin-right: -1px; }
.rc .rc-tabs button[aria-selected=true] { background: var(--review-accent, #1a5fd0);
    color: var(--review-accent-ink, #fff); font-weight: 600; }
.rc input::placeholder { color: var(--review-muted, #4b5563); opacity: 1; }
.rc input { flex: none; }
.rc :is(button, select, input, td):focus-visible { outline: 2px solid var(--review-focus, #1a5fd0);
    outline-offset: -2px; }
.rc-step { font-weight: 600; font-variant-numeric: tabular-nums; }
.rc-muted { color: var(--review-muted, #4b5563); font-variant-numeric: tabular-nums; }
.rc-none { margin: 8px 0; }
.rc-part { display: flex; flex-direction: column; gap: 6px; flex: 1 1 auto; min-height: 0; }
.rc-scroll { overflow: auto; flex: 1 1 auto; min-height: 0; }
.rc .rc-more { flex: none; align-self: flex-start; }

.rc-pairs { list-style: none; margin: 0; padding: 0; overflow: auto; flex: 1 1 auto;
    min-height: 0; }
.rc-pairs li { content-visibility: auto; contain-intrinsic-size: auto 34px;
    border-bottom: 1px solid var(--review-line, #c3ccd5); }
.rc button.rc-pair { display: grid; width: 100%; border: 0; border-radius: 0; gap: 2px 10px;
    grid-template-columns: 4.5em minmax(0, 1fr) auto; padding: 4px 6px; align-items: baseline; }
.rc-count { text-align: right; font-weight: 600; font-variant-numeric: tabular-nums; }
.rc-what { overflow-wrap: break-word; min-width: 0; }
.rc-what b { font-weight: 600; }
.rc-bar { grid-column: 2 / -1; height: 3px; border-radius: 2px; overflow: hidden; }
.rc-bar > span { display: block; height: 100%; background: var(--review-accent, #1a5fd0); }

.rc-curves { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.rc-curves :is(th, td) { padding: 1px 10px 1px 0; text-align: right; white-space: nowrap; }
.rc-curves th:first-child { text-align: left; white-space: normal; overflow-wrap: break-word;
    min-width: 9em; max-width: 26em; font-weight: 400; }
.rc-curves thead th { position: sticky; top: 0; background: var(--review-ground, #fff); z-index: 1;
    border-bottom: 1px solid var(--review-line, #c3ccd5); font-weight: 400; }
.rc .rc-curves button { border: 0; padding: 2px 4px; }
.rc .rc-curves [aria-sort] button { font-weight: 600; }
.rc .rc-curves tbody button:enabled { text-decoration: underline; text-underline-offset: 2px; }
.rc-curves svg { display: block; }
.rc-axis { stroke: var(--review-line, #c3ccd5); stroke-width: 1; }
.rc-curve { fill: none; stroke: var(--review-accent, #1a5fd0); stroke-width: 1.5; }
.rc-point { fill: var(--review-accent, #1a5fd0); stroke: var(--review-ground, #fff); }

.rc-matrix { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
.rc-matrix :is(th, td) { padding: 2px 5px; text-align: right; white-space: nowrap;
    border: solid var(--review-line, #c3ccd5); border-width: 0 1px 1px 0; }
.rc-matrix td { min-width: 26px; }
.rc-matrix th { font-weight: 400; background: var(--review-ground, #fff); }
.rc-matrix thead th { position: sticky; top: 0; z-index: 2; vertical-align: bottom;
    padding: 4px 2px; }
.rc-matrix tr > th:first-child { position: sticky; left: 0; z-index: 1; }
.rc-matrix thead th:first-child { z-index: 3; }
.rc-up { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block;
    text-align: left; }
.rc-corner { color: var(--review-muted, #4b5563); }
.rc-cell { cursor: pointer; }
.rc-empty { color: var(--review-muted, #4b5563); cursor: default; }
.rc-right { font-weight: 600; }
.rc-total { background: var(--review-raised, #f1f4f8); }
.rc-total:is([data-label], [data-prediction]):not(.rc-empty) { cursor: pointer; }
.rc-cell:hover:not(.rc-empty), .rc-total:not(.rc-empty):is([data-label], [data-prediction]):hover {
    box-shadow: inset 0 0 0 2px var(--review-focus, #1a5fd0); text-decoration: underline; }
`;
