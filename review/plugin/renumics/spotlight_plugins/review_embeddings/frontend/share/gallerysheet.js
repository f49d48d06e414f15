// The style sheet of the images of a list, of the way back, and of the slider with its curves.
// Sizes and colours only.

export const GALLERY_SHEET = `
.gallery { display: flex; flex-direction: column; gap: 10px; }
.gallery-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; }
.gallery-head h2 { margin: 0; font-size: 1.0625rem; outline: none; }
.gallery-head p { margin: 0; flex: 1 1 100%; font-size: 0.8125rem; }
.gallery button, .gallery-back { font-family: inherit; color: inherit; cursor: pointer; }
.share .gallery-back { flex: none; font: inherit; padding: 5px 0; border: 0; background: none;
    font-size: 0.8125rem;
    color: var(--review-accent); max-width: 100%; overflow: hidden; text-overflow: ellipsis;
    white-space: nowrap; }
.gallery .gallery-back { flex: 1 1 100%; text-align: left; }
.gallery-images { display: grid; gap: 12px 8px;
    grid-template-columns: repeat(auto-fill, minmax(76px, 1fr)); }
.gallery-image { display: flex; flex-direction: column; align-items: stretch; padding: 0; border: 0;
    background: none; text-align: left; font-size: 0.75rem; line-height: 1.3; min-width: 0;
    content-visibility: auto; contain-intrinsic-size: auto 112px; }
.gallery-image img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px;
    box-sizing: border-box; border-bottom: 3px solid; background: var(--review-raised); }
.gallery-image:hover img { filter: brightness(1.08); }
.gallery-image span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.gallery-label { padding-top: 3px; }
.gallery-other { color: var(--review-bad); }
.gallery-more { padding: 8px; border: 1px solid var(--review-line); border-radius: 8px;
    background: none; }

.timeline { display: grid; gap: 4px 14px; align-items: center;
    grid-template-columns: auto minmax(0, 1fr); }
.timeline-curves { grid-column: 2; cursor: pointer; display: flex; flex-direction: column;
    touch-action: pan-y; user-select: none; min-height: 58px; }
.timeline-row { grid-column: 1; grid-row: 1 / span 2; display: grid; gap: 6px; align-items: center;
    grid-template-columns: repeat(3, auto); justify-content: start; }
.timeline-step { grid-column: 1 / -1; width: 168px; font-variant-numeric: tabular-nums;
    font-size: 0.8125rem; white-space: nowrap; }
.timeline-step b { font-size: 0.9375rem; }
.timeline-row button { box-sizing: border-box; height: 40px !important; width: 34px !important;
    padding: 0 !important; font: inherit; font-size: 1.0625rem !important; color: inherit;
    cursor: pointer; border: 1px solid var(--review-line); border-radius: 20px;
    background: var(--review-ground); }
.timeline-row button:first-child { width: 40px !important; background: var(--review-accent);
    color: var(--review-accent-ink); border-color: transparent; font-size: 0.8125rem !important; }
.timeline-range { grid-column: 2; }
.timeline-range input { display: block; height: 24px; accent-color: var(--review-accent);
    margin: 0 0 0 calc((100% - 34px) * 0.02 - 8px); width: calc((100% - 34px) * 0.96 + 16px);
    cursor: pointer; }
`;
