// The style sheet of the rows of lists.
// Sizes and colours only; what is drawn is in views/lists.js.

export const LISTS_SHEET = `
.rl { display: flex; flex-direction: column; height: 100%; box-sizing: border-box; padding: 6px;
    gap: 4px; font-size: 0.8125rem; line-height: 1.35; overflow: hidden;
    background: var(--review-ground, #fff); color: var(--review-ink, #1f2937); }
.rl ul { list-style: none; margin: 0; padding: 0; overflow: auto; flex: 1 1 auto; min-height: 0; }
.rl-row { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 2px;
    content-visibility: auto; contain-intrinsic-size: auto 46px;
    border-bottom: 1px solid var(--review-line, #c3ccd5); }
.rl-group { padding: 5px 6px 2px; font-size: 0.75rem; font-weight: 600;
    color: var(--review-muted, #4b5563); border-bottom: 1px solid var(--review-line, #c3ccd5); }
.rl-now { background: var(--review-accent-ground, #e8f0fe); }
.rl-new { box-shadow: inset 3px 0 0 var(--review-good, #1b6e35); }
.rl button { font: inherit; color: inherit; cursor: pointer; background: none; border: 0; }
.rl-open { flex: 1 1 0; min-width: 0; display: grid; padding: 4px 6px; text-align: left;
    grid-template-columns: minmax(0, 1fr) auto; gap: 1px 8px; }
.rl button:hover:enabled { background: var(--review-raised, #f1f4f8); }
.rl :is(button, input):focus-visible { outline: 2px solid var(--review-focus, #1a5fd0);
    outline-offset: -2px; }
.rl .rl-pictured { grid-template-columns: 40px minmax(0, 1fr) auto; }
.rl-pictured > :is(.rl-bar, .rl-more) { grid-column: 2 / -1; }
.rl-medoid { grid-row: 1 / span 3; width: 40px; height: 40px; object-fit: contain;
    align-self: center; border-radius: 3px; }
.rl-title { overflow-wrap: break-word; min-width: 0; }
.rl-now .rl-title { font-weight: 600; }
.rl-count { font-variant-numeric: tabular-nums; white-space: nowrap; }
.rl-bar { grid-column: 1 / -1; height: 3px; border-radius: 2px; overflow: hidden;
    background: var(--review-line, #c3ccd5); }
.rl-bar > span { display: block; height: 100%; background: var(--review-accent, #1a5fd0); }
.rl-more { grid-column: 1 / -1; font-size: 0.75rem; color: var(--review-muted, #4b5563);
    overflow: hidden; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
.rl-first { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 3px; height: 36px;
    overflow: hidden; margin-top: 3px; }
.rl-first img { width: 36px; height: 36px; object-fit: cover; border-radius: 4px; }
.rl-actions { display: flex; flex: none; padding-top: 2px; }
.rl-edit { display: flex; gap: 4px; width: 100%; padding: 0 6px 4px; }
.rl .rl-edit button { padding: 1px 7px; border-radius: 4px; font-size: 0.75rem;
    border: 1px solid var(--review-edge, #6b7787); }
.rl-actions button { width: 26px; height: 26px; padding: 0; border-radius: 4px;
    color: var(--review-muted, #4b5563); }
.rl-actions button:hover { color: var(--review-ink, #1f2937); }
.rl input { font: inherit; color: inherit; background: var(--review-ground, #fff); min-width: 0;
    padding: 3px 6px; border: 1px solid var(--review-edge, #6b7787); border-radius: 5px; }
.rl input::placeholder { color: var(--review-muted, #4b5563); opacity: 1; }
.rl-search { flex: none; }
.rl-form { display: flex; flex-wrap: wrap; gap: 4px; padding: 4px; width: 100%; }
.rl-form input { flex: 1 1 120px; }
.rl .rl-form button, .rl .rl-save { padding: 3px 8px; border-radius: 5px; flex: none;
    border: 1px solid var(--review-edge, #6b7787); text-align: left; }
.rl .rl-save:disabled { cursor: default; border: 1px dashed var(--review-line, #c3ccd5);
    color: var(--review-muted, #4b5563); }
.rl-none, .rl-fault, .rl-news { margin: 4px 6px; flex: none; overflow-wrap: break-word; }
.rl-fault { color: var(--review-bad, #b3261e); }
.rl-news { color: var(--review-good, #1b6e35); font-size: 0.75rem; }
.rl :is(.rl-fault, .rl-news)[hidden] { display: none; }
`;
