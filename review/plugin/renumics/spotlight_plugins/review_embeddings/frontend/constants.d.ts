// Types of `constants.js`, which the server makes from the names and limits that Python owns
// (review/page/frontend.py). There is no such file.

export const PREFIX: string;
export const TOKEN_HEADER: string;
export const TOKEN_PARAMETER: string;
export const ROUTES: Record<
    | "enter"
    | "session"
    | "facts"
    | "hashes"
    | "decisions"
    | "lists"
    | "undo"
    | "nearest"
    | "values"
    | "card"
    | "image"
    | "predictions"
    | "accuracy"
    | "remaining"
    | "anew"
    | "chances"
    | "classes"
    | "theme"
    | "agreement",
    string
>;
export const DECISIONS: string[];
export const DECISION_KEYS: Record<string, string>;
export const KEEP: string;
export const UNSURE: string;
export const EXPECTED_OF: number;
export const DISPUTED_LIST: { key: string; title: string; description: string };
export const NEAREST_SHOWN: number;
export const MAX_VERDICTS: number;
export const LEAST_DECIDED: number;
export const RELABEL: string;
export const DUPLICATE: string;
export const UNDECIDED: string;
export const NO_NEW_LABEL: string;
export const MAX_NOTE: number;
export const MAX_LIST_NAME: number;
export const MAX_CLASS_NAME: number;
export const MAX_REQUEST: number;
export const OUTBOX: string;
export const MAX_CHECKPOINTS: number;
export const WIDGETS: Record<
    | "panel"
    | "neighbors"
    | "checkpoints"
    | "review"
    | "map0"
    | "map1"
    | "map2"
    | "map3"
    | "lists"
    | "classes",
    string
>;
export const WINDOW_HEADER: string;
export const LAYOUT_NOTE_HEADER: string;
export const WINDOW_WIDTHS: number[];
export const LENSES: Record<"image" | "summary", string>;
export const COLUMNS: Record<
    | "image"
    | "imageId"
    | "label"
    | "decision"
    | "newLabel"
    | "suggested"
    | "labelScore"
    | "imageIssue"
    | "leakOf"
    | "leakLabel"
    | "duplicateGroup",
    string
>;
export const ENDS: Record<"first" | "last", Record<"ood" | "rank" | "prediction", string>>;
export const NOW_COLUMNS: string[];
export const NO_ISSUE: string[];
export const MAX_SUSPECT_SCORE: number;
export const TRUST_NEIGHBORS: number;
export const OF_EVALUATION: string;
export const CLASS_COLORS: string[];
