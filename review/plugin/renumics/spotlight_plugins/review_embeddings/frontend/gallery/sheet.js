// The style sheet of a gallery of runs: maps side by side, on a phone one above the other.
// Sizes and colours only.

export const RUNS_SHEET = `
body { margin: 0; background: var(--review-ground); color: var(--review-ink);
    font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
.runs, .runs * { box-sizing: border-box; }
.runs { display: flex; flex-direction: column; gap: 10px; padding: 12px 20px; }
.runs h2 { margin: 0; font-size: 1rem; }
.runs p { margin: 0; font-size: 0.875rem; }
.runs-top header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px; }
.runs-top h1 { margin: 0; font-size: 1.25rem; }
.runs-top p { flex: 1 1 auto; }
.runs button { font: inherit; color: inherit; cursor: pointer; border: 1px solid
    var(--review-line); border-radius: 8px; background: var(--review-ground); padding: 4px 10px; }
.runs :is(button, input):focus-visible, .runs canvas:focus-visible {
    outline: 2px solid var(--review-focus); outline-offset: 2px; }
.runs-maps { display: grid; gap: 14px;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
.runs-run { display: flex; flex-direction: column; gap: 4px; min-width: 0; }
.runs-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 12px;
    font-size: 0.875rem; font-variant-numeric: tabular-nums; min-height: 3em; }
.runs-head h2 { flex: 1 1 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.runs-map { height: clamp(260px, 52vh, 620px); border: 1px solid var(--review-line);
    border-radius: 14px; overflow: hidden; }
.runs-key { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0; padding: 0;
    list-style: none; font-size: 0.8125rem; }
.runs-key i { display: inline-block; width: 10px; height: 10px; border-radius: 5px;
    margin-right: 6px; }
.runs-bar { position: sticky; bottom: 0; z-index: 3; background: var(--review-ground); }
.runs-slider { display: flex; align-items: center; gap: 12px; padding: 4px 0;
    font-variant-numeric: tabular-nums; }
.runs-slider button { width: 42px; height: 42px; padding: 0; border-radius: 21px; flex: none;
    background: var(--review-accent); color: var(--review-accent-ink); border: 0; }
.runs-slider input { flex: 1; height: 44px; min-width: 0; accent-color: var(--review-accent); }
.runs-slider span { min-width: 11em; font-size: 0.875rem; }
.runs-image { display: flex; gap: 14px; align-items: start; }
.runs-image img { width: 112px; height: 112px; object-fit: contain; border-radius: 10px;
    background: var(--review-raised); flex: none; image-rendering: auto; }
.runs-image > div { min-width: 0; overflow: auto; }
.runs-image table { border-collapse: collapse; font-size: 0.875rem; margin: 4px 0 8px; }
.runs-image :is(th, td) { text-align: left; padding: 2px 16px 2px 0; font-weight: 400; }
.runs-image th { font-weight: 600; }
.runs-wrong { color: var(--review-bad); }
.runs-list select { max-width: 100%; }
.runs-tiles { display: grid; gap: 10px 8px; margin-top: 8px;
    grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); }
.runs-tiles button { border: 0; padding: 0; text-align: left; font-size: 0.75rem; min-width: 0;
    background: none; border-radius: 8px; }
.runs-tiles img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px;
    border-bottom: 3px solid; background: var(--review-raised); display: block; }
.runs-tiles button[aria-pressed=true] img { outline: 3px solid var(--review-focus); }
.runs-tiles span { display: block; overflow: hidden; text-overflow: ellipsis;
    white-space: nowrap; }
.runs-foot { font-size: 0.75rem; color: var(--review-muted); display: flex; flex-wrap: wrap;
    gap: 4px 20px; }
.runs-foot span:last-child { margin-left: auto; }
@media (max-width: 760px) {
    .runs { padding: 8px 12px; }
    .runs-map { height: 44vh; }
    .runs-slider span { min-width: 0; }
    .runs-image { flex-wrap: wrap; }
}
`;
