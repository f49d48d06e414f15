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

/** What a page has to know of its run. Empty where the server does not answer us. */
export interface Session {
    title?: string;
    /** Rows selected at first. */
    selected?: number[];
    /** Steps of the checkpoints with columns of their own. */
    shown?: number[];
    checkpoints?: Checkpoint[];
    /** Step at which the slider stands at first; absent for a page without a slider. */
    start?: number;
    /** Fingerprint of the run's table. */
    table?: string;
    /** One sentence about what is new in a run that is watched. */
    news?: string;
}

/** What does not change while a person decides. */
export interface DecisionInfo {
    images: number;
    classes: string[];
    reviewer: string;
    /** Why nothing can be decided; empty where it can. */
    readOnly: string;
    /** Groups of rows that hold the same image. */
    copies: number[][];
    faults: string[];
}

/** What a person said about one image. */
export interface Decision {
    decision: string;
    newLabel: string | null;
    note: string;
}

/** What holds about the images that changed since a revision; `null` for an undecided one. */
export interface Changes {
    revision: number;
    decided: [row: number, decision: Decision | null][];
}

/** Something to be saved, as it is sent. */
export interface Message {
    path: string;
    body: Record<string, unknown>;
}

/** Why a message was not saved. */
export interface Failure {
    reason: string;
    /** Whether sending it again is of no use. */
    final: boolean;
}

/** The nearest images of one image at one checkpoint, nearest first. */
export interface Nearest {
    step: number;
    rows: number[];
    distances: number[];
}

export type Numbers = ArrayLike<number> & Iterable<number>;

/** The images on the page and their columns, by row; what is selected of them. */
export interface ReviewTable {
    readonly length: number;
    readonly selected: number[];
    readonly filtered: number[];
    /** Resolved once there are rows. */
    readonly loaded: Promise<void>;
    has(column: string): boolean;
    /** Numbers of a column, codes for categories; undefined where there is no such column. */
    numbers(column: string): Numbers | undefined;
    /** Code of each category; undefined where there is no such column. */
    codes(column: string): Record<string, number> | undefined;
    /** The value of one cell, categories by name. */
    value(column: string, row: number): string | number | undefined;
    /** Address of an image. */
    picture(row: number): string;
    select(rows: number[]): void;
    /** Replace columns; all that shows them follows. */
    write(columns: Record<string, Numbers>): void;
    setTitle(title: string): void;
    notify(message: string): void;
    onSelection(listener: () => void): Stop;
    /** Called with every table that is read; `again` unless it is the first. */
    onRead(listener: (again: boolean) => void): Stop;
}

/** Answers about the run, and takes decisions. */
export interface ReviewServer {
    session(): Promise<Session>;
    /** Null for a page without decisions, "refused" for a person without the token. */
    info(): Promise<DecisionInfo | "refused" | null>;
    /** Null where there is no answer. */
    changes(since: number): Promise<Changes | null>;
    nearest(row: number): Promise<Nearest[]>;
    /** The slider's columns at a checkpoint. Throws an Error with the reason. */
    values(step: number, table: string | undefined): Promise<Float32Array[]>;
    /** Null once it is saved. */
    send(message: Message): Promise<Failure | null>;
}

/** Where a browser keeps text over a reload. */
export interface TextStorage {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
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

/** Attributes, properties, `style`, event handlers, and two of our own. */
export interface Props {
    /** Tells an element among its neighbours, where they change. */
    key?: string | number;
    style?: Style;
    /** Called once the element stands in the page. */
    onMount?: (element: any) => void;
    [name: string]: any;
}

/** A part of the page: what it shows now. It calls `redraw` when that changes. */
export interface Widget<P> {
    view(props: P): Node | null;
    close?(): void;
}
