// The style sheet of what lies over the page: full window, keys, questions.
// Buttons in it look as those on the card, see reviewsheet.js.

export const OVERLAY_SHEET = `
.review-over { font: 14px/1.4 system-ui, sans-serif; padding: 16px 20px; border-radius: 8px;
    color: var(--review-ink, #1f2937); background: var(--review-ground, #fff);
    border: 1px solid var(--review-edge, #6b7787); max-width: min(680px, 94vw); }
.review-over:focus { outline: 0; }
.review-over::backdrop { background: #0009; }
.review-sheet h2 { margin: 0 0 8px; font-size: 1.125rem; }
.review-sheet table { width: 100%; border-collapse: collapse; margin-bottom: 10px; }
.review-sheet caption { text-align: left; font-weight: 600; padding: 4px 0;
    color: var(--review-muted, #4b5563); }
.review-sheet th { text-align: left; width: 110px; padding: 2px 0; font-weight: 400; }
.review-sheet kbd { margin: 0 6px 0 0; font-size: 0.8125rem; padding: 1px 6px; border: 1px solid;
    border-radius: 3px; }
.review-asked p { margin: 0 0 14px; font-size: 1rem; overflow-wrap: anywhere; }
.review-asked button { padding: 6px 14px; }

.review-full { width: 100vw; height: 100vh; max-width: none; max-height: none; margin: 0;
    border: 0; border-radius: 0; padding: 10px 14px; }
.review-whole { display: grid; height: 100%; gap: 8px; grid-template-columns: minmax(0, 1fr) auto;
    grid-template-rows: auto minmax(0, 1fr) auto; }
.review-whole > :first-child, .review-whole > .review-decide { grid-column: 1 / -1; }
.review-whole .review-close { margin-left: auto; }
.review-stage { overflow: hidden; cursor: zoom-in; touch-action: none; min-width: 0;
    background: var(--review-raised, #f1f4f8); }
.review-stage.review-zoomed { cursor: grab; }
.review-stage img { display: block; width: 100%; height: 100%; object-fit: contain;
    user-select: none; }
.review-beside { overflow: auto; display: flex; gap: 8px; }
.review-beside section { display: flex; flex-direction: column; gap: 4px; width: 104px; }
.review-beside h3 { margin: 0; font-size: 0.75rem; }
.review-over .review-beside button { padding: 2px; font-size: 0.75rem; border-color: transparent;
    overflow-wrap: anywhere; }
.review-beside img { display: block; width: 100%; object-fit: contain;
    height: clamp(40px, calc((100vh - 260px) / 6), 96px); }
@media (max-width: 700px) { .review-beside { display: block; width: 90px; } }
`;
