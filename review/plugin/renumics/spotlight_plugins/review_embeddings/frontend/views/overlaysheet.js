// The style sheet of what lies over the page: full window, keys, questions.
// Buttons in it look as those on the card, see reviewsheet.js.

export const OVERLAY_SHEET = `
.review-over { font: 14px/1.4 system-ui, sans-serif; padding: 16px 20px; border-radius: 8px;
    color: var(--review-ink, #1f2937); background: var(--review-ground, #fff);
    border: 1px solid var(--review-edge, #6b7787); max-width: min(680px, 94vw); }
.review-over:focus { outline: 0; }
.review-over::backdrop { background: #0009; }
.review-sheet h2 { margin: 0 0 8px; font-size: 1.125rem; }
.review-keysheet { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 24px; }
.review-keysheet > h2 { grid-column: 1 / -1; }
.review-keys { max-width: min(1000px, 96vw); }
@media (max-width: 800px) { .review-keysheet { grid-template-columns: minmax(0, 1fr); } }
.review-sheet table { width: 100%; border-collapse: collapse; margin-bottom: 10px; }
.review-sheet caption { text-align: left; font-weight: 600; padding: 4px 0;
    color: var(--review-muted, #4b5563); }
.review-sheet th { text-align: left; width: 110px; padding: 2px 0; font-weight: 400; }
.review-sheet th > b { font-weight: 600; margin-right: 6px; }
.review-sheet kbd { margin: 0 6px 0 0; font-size: 0.8125rem; padding: 1px 6px; border: 1px solid;
    border-radius: 3px; }
.review-asked p { margin: 0 0 14px; font-size: 1rem; overflow-wrap: break-word; }
.review-asked button { padding: 6px 14px; }

.review-full { width: 100vw; height: 100vh; max-width: none; max-height: none; margin: 0;
    border: 0; border-radius: 0; padding: 10px 14px; }
.review-whole { display: grid; height: 100%; gap: 8px; grid-template-columns: minmax(0, 1fr) auto;
    grid-template-rows: auto minmax(0, 1fr) auto; }
.review-top, .review-below { grid-column: 1 / -1; }
.review-top > .review-title { flex: 1 1 auto; }
.review-reasons { flex: 1 1 100%; min-width: 0; overflow: hidden; text-overflow: ellipsis;
    white-space: nowrap; color: var(--review-muted, #4b5563); }
.review-below { display: flex; flex-direction: column; gap: 6px; max-height: 40vh; overflow: auto;
    padding: 2px; }
.review-zoom { margin-left: auto; }
.review-scale { min-width: 58px; text-align: center; font-variant-numeric: tabular-nums; }
.review-aside, .review-beside { grid-column: 2; grid-row: 2; }
.review-aside { display: flex; width: min(360px, 45vw); min-height: 0; }
.review-aside > .review-finding { flex: 1; }
.review-over input { font: inherit; color: inherit; background: var(--review-ground, #fff);
    border: 1px solid var(--review-edge, #6b7787); border-radius: 5px; padding: 3px 6px;
    min-height: 26px; min-width: 0; }
.review-over input::placeholder { color: var(--review-muted, #4b5563); opacity: 1; }
.review-stage { overflow: hidden; cursor: zoom-in; touch-action: none; min-width: 0;
    background: var(--review-raised, #f1f4f8); }
.review-stage.review-zoomed { cursor: grab; }
.review-stage img { display: block; width: 100%; height: 100%; object-fit: contain;
    user-select: none; }
.review-beside { overflow: auto; display: grid; grid-template-columns: repeat(2, 124px);
    grid-auto-rows: min-content; gap: 4px 8px; }
.review-beside h3 { grid-column: 1 / -1; }
.review-beside section { display: flex; flex-direction: column; gap: 4px; min-width: 0; }
.review-beside h3, .review-beside h4 { margin: 0; font-size: 0.75rem; font-weight: 600; }
.review-over .review-beside button { padding: 2px; font-size: 0.75rem; border-color: transparent; }
.review-caption { display: flex; gap: 4px; white-space: nowrap; }
.review-caption > :first-child { flex: 0 1 auto; overflow: hidden; text-overflow: ellipsis; }
.review-caption > .review-muted { flex: none; }
.review-beside img { display: block; width: 100%; object-fit: contain;
    height: clamp(40px, calc((100vh - 320px) / 6), 96px); }

.review-sheet .review-agreement :is(th, td) { width: auto; padding: 3px 12px 3px 0;
    vertical-align: top; border-bottom: 1px solid var(--review-line, #c3ccd5); }
.review-sheet .review-agreement th { font-weight: 600; }
.review-agreement .review-number { text-align: right; font-variant-numeric: tabular-nums; }
.review-command { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 4px 8px;
    align-items: center; margin-bottom: 12px; }
.review-command > div { grid-column: 1 / -1; }
.review-command code { font: 0.8125rem ui-monospace, monospace; padding: 5px 8px;
    overflow-wrap: anywhere; border-radius: 5px; background: var(--review-raised, #f1f4f8); }
@media (max-width: 700px) { .review-beside { grid-template-columns: 90px; } }
`;
