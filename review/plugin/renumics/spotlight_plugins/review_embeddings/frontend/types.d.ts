// What the modules pass to each other: the data object that a page is made from, and what is drawn.
// `ReviewTable` and `ReviewServer` are the border; Spotlight is behind one pair of them, a page
// without a server can be behind another.

/** Stops what was begun: a subscription, a widget. */
export type Stop = () => void;

/** What is known of one checkpoint as a whole; the keys are those of the session's JSON. */
export interface Checkpoint {
    step: number;
    /** The step for people; says so where it is not known. */
    name: string;
    epoch: number | null;
    loss: number | null;
    eval_loss: number | null;
    /** In [0, 1]. */
    accuracy: number | null;
    /** On which images the accuracy was measured. */
    measured: "evaluation" | "reviewed images" | null;
    explained_variance: [number, number] | null;
    disparity: number;
    map_kept: number;
    trustworthiness: number;
    continuity: number;
    rank_correlation: number[];
    outliers_stay: number | null;
    /** What is wrong with its embeddings, which an earlier version made. */
    faults?: string[];
}

/** A list of images to go through, in its own order. */
export interface ReviewList {
    /** Tells it from others: that of a ready-made list, or one of the page's own. */
    key: string;
    title: string;
    rows: number[];
    /** The decision that fits most of its images; empty for none. */
    suggests: "relabel" | "duplicate" | "remove" | "";
    /** Which images these are, for people. */
    description: string;
    /** What the list itself says of its images, where it was made on the page. */
    why?: [text: string, rows: number[]][];
    /** Heading below which it stands among the ready-made ones; absent or empty for none. */
    section?: string;
    /** How many of its first images are expected to be real finds, before anybody decides; null or
     * absent where that is not known. */
    expected?: number | null;
    /** Why that is not known, for people; absent or empty where it is, or nothing is to be said. */
    unestimated?: string;
    /** The class that fits its images better, where the list knows that itself: by name. */
    suggested?: [name: string, rows: number[]][];
    /** Key of the list that it is when it is judged anew with the decisions; absent where it cannot
     * be. */
    again?: string;
    /** Row of the image that stands for all of it; null or absent where none does. */
    medoid?: number | null;
    /** Whether the most suspicious image stands first, the least last. */
    bySuspicion?: boolean;
    /** Its rows in that order, where they are in another one: that of the expected gain. */
    ranked?: number[];
    /** With which revision of the decisions it was made, where it was made with them. */
    revision?: number;
    /** How the list leaves the run, where it is made on request. */
    command?: ResultCommand;
}

/** A command for a terminal, and what it is for. */
export interface ResultCommand {
    does: string;
    command: string;
}

/** The labels that are judged anew, or how many are while that takes. */
export interface Anew {
    /** Of the decisions with which they are. */
    revision: number;
    judging?: number;
    list?: ReviewList;
}

/** How far reviewers agree about the images of a list, or about all. */
export interface ListedAgreement {
    title: string;
    rows: {
        /** The reviewers. */
        who: string;
        method: string;
        images: number;
        /** Images about which they decided the same. */
        same: number;
        /** At most 1; null where chance alone would agree throughout. */
        kappa: number | null;
    }[];
}

/** What is to be expected of the images of a list that nobody has decided about. */
export interface Remaining {
    decided: number;
    /** How many of those were real finds. */
    real: number;
    /** The expected number of real ones among the others. */
    left: number;
    /** Their number lies between these, nine times of ten. */
    low: number;
    high: number;
}

/** What is known of one image at one checkpoint; null where it is not. */
export interface CardEnd {
    step: number;
    prediction: string | null;
    /** Probability of the prediction, in [0, 1]. */
    confidence: number | null;
    /** Probability of the given label, in [0, 1]. */
    labelConfidence: number | null;
    /** By its outlier score: 1 is the most atypical image of all. */
    outlierRank: number;
    /** In [0, 100]: low is atypical. */
    outlierPercentile: number;
    /** Key of the run that it is of; absent or empty for the page's own. */
    run?: string;
    /** How many images that run has, among which the rank is; absent or 0 for those of the card. */
    images?: number;
}

/** One of the runs that a page compares. */
export interface ComparedRun {
    /** At the end of the names of its columns; empty for the page's own run. */
    key: string;
    /** By which the page names it: A, B. */
    letter: string;
    /** For people. */
    name: string;
    /** Steps of its checkpoints with columns of their own. */
    shown: number[];
    /** All of them; absent for the page's own run, whose are those of the session. */
    checkpoints?: Checkpoint[];
    /** How its map and its embedding fit those of the page's own run. */
    note?: string;
    /** Whether it is better than the page's own run, in a sentence with its numbers. */
    verdict?: string;
}

/** All that the review shows of one image; one number a checkpoint where there are several. */
export interface Card {
    row: number;
    imageId: number;
    label: string | null;
    /** How many images the run has, among which its ranks are. */
    images: number;
    /** The class that fits best, where another one fits better than the label. */
    suggested: string | null;
    /** Why it is listed, in words, the strongest reason first. */
    reasons: string[];
    /** Keys of the lists that it is in. */
    lists: string[];
    /** The first and the last checkpoint on the page, or one; the last one of each run where runs
     * are compared. */
    ends: CardEnd[];
    /** The same of each checkpoint, ascending. */
    checkpoints: CardEnd[];
    /** Classes in order of their probability at the last checkpoint; empty without them. */
    classes: [name: string, probability: number][];
    /** All checkpoints, ascending. */
    steps: number[];
    /** Probability of the given label; null where it has none. */
    labelCurve: (number | null)[] | null;
    /** Probability of the suggested class; null without one. */
    suggestedCurve: (number | null)[] | null;
    /** Percentile of the outlier score, in [0, 100]: low is atypical. */
    percentileCurve: number[];
    /** Its place on the map at each checkpoint. */
    way: [x: number, y: number][];
}

/** A part of the maps' space. */
export interface Extent {
    x: [low: number, high: number];
    y: [low: number, high: number];
}

/** What a page has to know of its run. Empty where the server does not answer us. */
export interface Session {
    title?: string;
    /** Ready-made lists, in the order in which they are offered. */
    lists?: ReviewList[];
    /** Key of the list that is open at first; by default that of the labels. */
    open?: string;
    /** Steps of the checkpoints with columns of their own. */
    shown?: number[];
    /** What each map shows, from left to right: a step, an end of a run that is watched, or the
     * slider's checkpoint. */
    maps?: (number | "first" | "last" | "now")[];
    checkpoints?: Checkpoint[];
    /** The runs that are compared, the page's own first; absent where none are. */
    runs?: ComparedRun[];
    /** Key of the run of each map; absent where all are of one run. */
    mapRuns?: string[];
    /** Columns of each map's coordinates. */
    mapColumns?: [x: string, y: string][];
    /** What the maps show at first: all checkpoints but for a few far points. */
    extent?: Extent;
    /** Step at which the slider stands at first; absent for a page without a slider. */
    start?: number;
    /** Names the table that the page shows. */
    table?: string;
    /** Names the images of the page, by row. */
    images?: string;
    /** What it would be called now that the run may have been built anew; null where the run has no
     * table. */
    built?: string | null;
    /** Whether the page follows the run by itself. */
    watching?: boolean;
    /** How what was decided leaves the run: commands for a terminal, in this order. */
    commands?: ResultCommand[];
    /** What writes a saved list to a file: the command before its name, and whether the shell is one
     * of POSIX. */
    exportSaved?: { command: string; isPosix: boolean };
    /** Whether only images are shown that others have decided about. */
    secondLook?: boolean;
    /** One sentence about what is new in a run that is watched. */
    news?: string;
    /** The colours that the person chose; absent to follow the system. */
    theme?: string;
}

/** What does not change while a person decides. */
export interface DecisionInfo {
    /** Id of the run; decisions made for it go to no other. */
    run: string;
    images: number;
    classes: string[];
    reviewer: string;
    /** Why nothing can be decided; empty where it can. */
    readOnly: string;
    /** Groups of rows that hold the same image. */
    copies: number[][];
    /** Whether what others decided is told only once the reviewer has decided. */
    isSecondLook: boolean;
}

/** What a person said about one image. */
export interface Decision {
    decision: string;
    newLabel: string | null;
    note: string;
    /** Who said it; absent until the server has it. */
    reviewer?: string;
    /** By the server's clock. ISO 8601, UTC. */
    time?: string;
}

/** A decision that does not count, because somebody else decided before it arrived. */
export interface Proposal extends Decision {
    image: string;
}

/** What holds about the images that changed since a revision; `null` for an undecided one. */
export interface Changes {
    revision: number;
    decided: [row: number, decision: Decision | null][];
    /** Whether what was known before counts no longer: the file was replaced. */
    reset: boolean;
    /** All that are open. */
    proposals: Proposal[];
    /** What a person should know of the file. */
    faults: string[];
    /** Another text after each change of a saved list. */
    lists: string;
    /** What each reviewer has decided, of those images that several have. */
    several: [row: number, made: Decision[]][];
    /** All rows about which reviewers differ. */
    disputed: number[];
}

/** A list that a person saved. */
export interface SavedList {
    name: string;
    /** In its order; those of its images that are on the page. */
    rows: number[];
    /** How many it has in all. */
    images: number;
    reviewer: string;
    /** By the server's clock. ISO 8601, UTC. */
    time: string;
    /** By which it was saved; absent once the server has it. */
    request?: string;
}

/** Something to be saved, as it is sent. */
export interface Message {
    path: string;
    body: MessageBody;
}

export interface MessageBody {
    run: string;
    request: string;
    /** SHA-256 of each image, hex. */
    images?: string[];
    [name: string]: unknown;
}

/** An image about which a message said nothing, because somebody decided since; what holds. */
export interface Left extends Decision {
    image: string;
}

/** The message is on disk, but for the images that were left out. */
export interface Saved {
    saved: number;
    left: Left[];
}

/**
 * Why there is no answer, or no good one. Only `invalid` is about the message itself; everything
 * else is about the server, the way to it, or who asks.
 */
export interface Failure {
    kind:
        | "unreachable"
        | "refused"
        | "missing"
        | "other-run"
        | "other-table"
        | "read-only"
        | "invalid"
        | "unavailable";
    /** A sentence without its full stop. */
    reason: string;
}

/** A message that is kept until it is saved. */
export interface Entry {
    /** Its name in the storage; sorts by the order in which the messages were made. */
    key: string;
    message: Message;
    /** By the browser's clock. ISO 8601, UTC. */
    time: string;
    /** What an undo gives back, by image, to be shown at once. */
    before?: [image: string, decision: Decision | null][];
    /** Why the server refused it; it is not sent again by itself. */
    reason?: string;
}

/** The nearest images of one image at one checkpoint, nearest first. */
export interface Nearest {
    step: number;
    /** Key of the run; absent or empty for the page's own. */
    run?: string;
    rows: number[];
    distances: number[];
    /** How many of its stored neighbours the page does not show, where that is a sample. */
    hidden?: number;
}

/** How well each class is told, of all images of the run. */
export interface ClassAccuracy {
    /** All checkpoints, ascending. */
    steps: number[];
    classes: string[];
    /** In [0, 1], by checkpoint and then by class; null where it is not known. */
    accuracy: (number | null)[][];
}

export type Numbers = ArrayLike<number> & Iterable<number>;

/** The images on the page and their columns, by row; what is selected of them. */
export interface ReviewTable {
    readonly length: number;
    readonly selected: number[];
    readonly filtered: number[];
    /** Resolved once there are rows. */
    readonly loaded: Promise<void>;
    readonly columnNames: string[];
    has(column: string): boolean;
    /** Numbers of a column, codes for categories; undefined where there is no such column. */
    numbers(column: string): Numbers | undefined;
    /** Code of each category; undefined where there is no such column. */
    codes(column: string): Record<string, number> | undefined;
    /** Have one category more, and say its code; absent where there are all that can be. */
    addCategory?(column: string, name: string): number | undefined;
    /** The value of one cell, categories by name. */
    value(column: string, row: number): string | number | undefined;
    /** Address of an image of at most so many pixels a side; without a number, as it is. */
    picture(row: number, side?: number): string;
    select(rows: number[]): void;
    /** Point at one image in all views, which selects nothing; undefined for none. */
    highlight(row: number | undefined): void;
    /** Replace columns; all that shows them follows. */
    write(columns: Record<string, Numbers>): void;
    setTitle(title: string): void;
    /** Which images the rows are, by a name: pictures are of no others. */
    setImages(name: string): void;
    notify(message: string): void;
    onSelection(listener: () => void): Stop;
    /** Called when other rows pass the filters. */
    onFilter(listener: () => void): Stop;
    /** Called with every table that is read; `again` unless it is the first. */
    onRead(listener: (again: boolean) => void): Stop;
}

/** Answers about the run, and takes decisions. */
export interface ReviewServer {
    session(): Promise<Session | Failure>;
    /** Null for a page without decisions. */
    info(): Promise<DecisionInfo | Failure | null>;
    /** 32 bytes an image, by row. */
    hashes(): Promise<Uint8Array | Failure>;
    changes(since: number): Promise<Changes | Failure>;
    /** Those that people saved. */
    lists(): Promise<SavedList[] | Failure>;
    /** Of a list whose verdicts are these, a letter an image; null where they are too few. */
    remaining(verdicts: string): Promise<Remaining | null | Failure>;
    /** How likely the images of such a list are real, part by part of it; so many of the first ones
     * are expected to be, where that is known. */
    chances(verdicts: string, expected?: number): Promise<number[] | Failure>;
    /** The labels judged with what is decided now, or with what was at a revision; asked on until
     * there is a list. */
    anew(table: string | undefined, revision?: number): Promise<Anew | Failure>;
    /** About the images of the page and of its lists. */
    agreement(): Promise<ListedAgreement[] | Failure>;
    // What follows belongs to the table that is named, and to no other. The page asks through
    // `Requests` (core/requests.js), which name it.
    /** At one step, by default at the first and the last one on the page. */
    nearest(row: number, step?: number, table?: string): Promise<Nearest[] | Failure>;
    card(row: number, table?: string): Promise<Card | Failure>;
    /**
     * The predicted class of each image at a checkpoint of a table: its index among those of
     * `DecisionInfo`, -1 for another one or none.
     */
    predictions(
        step: number,
        table: string | undefined,
        run?: string,
    ): Promise<Int32Array | Failure>;
    /** Of the classes of the page's run, by a run's own labels. */
    accuracy(table?: string, run?: string): Promise<ClassAccuracy | Failure>;
    /** The slider's columns at a checkpoint. */
    values(step: number, table: string | undefined): Promise<Float32Array[] | Failure>;
    send(message: Message): Promise<Saved | Failure>;
}

/** Whether something holds of the system, such as that it prefers dark colours. */
export interface Preference {
    holds(): boolean;
    onChange(listener: () => void): Stop;
}

/** Where a browser keeps text over a reload. */
export interface TextStorage {
    getItem(key: string): string | null;
    /** Throws where there is no room. */
    setItem(key: string, value: string): void;
}

/** One that the tabs of an address share, until an entry is removed. All of it may throw. */
export interface SharedStorage extends TextStorage {
    keys(): string[];
    removeItem(key: string): void;
    /** Called when another tab changed an entry; with null where all was cleared. */
    onChange(listener: (key: string | null) => void): Stop;
}

/** What the page asks of the browser around it. */
export interface Surroundings {
    storage: SharedStorage;
    /** Of this tab. */
    tabStorage: TextStorage;
    later(work: () => void, wait: number): void;
    again(work: () => void, wait: number): void;
    /** Whether the person wants nothing to move by itself. */
    isStill(): boolean;
    /** Called when the page is seen again, or the network is back. */
    onWake(listener: () => void): Stop;
    /** Ask before the page is left while this says so. */
    guardLeaving(isNeeded: () => boolean): void;
    download(name: string, text: string): void;
    /** Put a text where a person can paste it from; false where the browser does not let us. */
    copy(text: string): Promise<boolean>;
    reload(): void;
    /** Rejected where there is no such picture, or none that can be shown. */
    loadPicture(address: string): Promise<LoadedPicture>;
}

/** A picture that is decoded, and shown at once by its address. */
export interface LoadedPicture {
    address: string;
    /** How many it has. */
    pixels: number;
    /** Let go of it; the address is none any more. */
    release(): void;
}

/** What is to stand in the page: an element, described. */
export interface Node {
    tag: string;
    props: Props;
    children: Child[];
}

export type Child = Node | string | null;

/** What a person writes for children; what is false, null or undefined is left out. */
export type Children = Node | string | number | false | null | undefined | Children[];

export type Style = Record<string, string | number>;

/** Attributes, properties, `style`, event handlers, and three of our own. */
export interface Props {
    /** Tells an element among its neighbours, where they change. */
    key?: string | number;
    style?: Style;
    /** Called once the element stands in the page. */
    onMount?: (element: any) => void;
    /** Called once it has left the page. */
    onGone?: (element: any) => void;
    [name: string]: any;
}

/** A part of the page: what it shows now. It calls `redraw` when that changes. */
export interface Widget<P> {
    view(props: P): Node | null;
    close?(): void;
}
