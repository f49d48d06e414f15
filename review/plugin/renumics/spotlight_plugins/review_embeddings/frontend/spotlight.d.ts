// The parts of Spotlight 1.8 that we use: React, its store of the data set, and the hooks for
// plugins. Its own declarations are not part of what it publishes as an interface.

interface SpotlightColumn {
    key: string;
    type: {
        kind: string;
        categories?: Record<string, number>;
        invertedCategories?: Record<number, string>;
    };
}

interface SpotlightStats {
    full: Record<string, unknown>;
    selected: Record<string, unknown>;
    filtered: Record<string, unknown>;
}

type SpotlightValues = any[] | Int32Array | Float32Array;

/** A colour of the library that Spotlight mixes colours with. */
interface SpotlightColor {
    css(): string;
    hex(): string;
}

interface SpotlightScale {
    (value: number): SpotlightColor;
    range(colors: string[]): SpotlightScale;
}

interface SpotlightPalette {
    name: string;
    kind: string;
    maxClasses?: number;
    scale(): SpotlightScale;
}

interface SpotlightPalettes {
    categoricalPalette: SpotlightPalette;
    continuousPalette: SpotlightPalette;
    setCategoricalPalette(palette: SpotlightPalette): void;
    setContinuousPalette(palette: SpotlightPalette): void;
}

/** What is chosen in the menu of colours; read from the person's configuration. */
interface SpotlightColors {
    getState(): SpotlightPalettes;
    getInitialState(): SpotlightPalettes;
    persist: {
        /** Read it once more; done also where nothing was kept. */
        rehydrate(): Promise<void>;
    };
}

/** From the values of a column to their colours. */
interface SpotlightTransfer {
    (value: number): SpotlightColor;
    kind: string;
    paletteName: string;
}

interface SpotlightState {
    /** Of the data: what depends on it is made anew when it changes. */
    uid: string;
    generationID: number;
    filename?: string;
    length: number;
    columns: SpotlightColumn[];
    columnsByKey: Record<string, SpotlightColumn>;
    columnData: Record<string, any>;
    columnStats: SpotlightStats;
    colorTransferFunctions: Record<
        string,
        { full: SpotlightTransfer; filtered: SpotlightTransfer }
    >;
    filters: { column?: SpotlightColumn }[];
    selectedIndices: Int32Array;
    filteredIndices: Int32Array;
    selectRows(rows: number[]): void;
    highlightRowAt(row: number, alone?: boolean): void;
    dehighlightAll(): void;
    recomputeColorTransferFunctions?(): void;
}

interface SpotlightStore {
    <T>(selector: (state: SpotlightState) => T): T;
    getState(): SpotlightState;
    setState(part: Partial<SpotlightState>): void;
    subscribe<T>(
        selector: (state: SpotlightState) => T,
        listener: (now: T, before: T) => void,
    ): () => void;
}

interface SpotlightApp {
    registerWidget(widget: Function): void;
    registerLens(lens: Function): void;
    addAppBarItem(element: unknown): void;
    removeAppBarItemByKey(key: string): void;
}

/** What the inspector gives to a lens; one column's is singular. */
interface SpotlightLensProps {
    url?: string;
    values: any[];
    columns: SpotlightColumn[];
    rowIndex: number;
}

declare var spotlight: {
    useDataset: SpotlightStore;
    useColors: SpotlightColors;
    makeColumnsStats(
        columns: SpotlightColumn[],
        data: Record<string, any>,
    ): Record<string, unknown>;
    notify(message: string): void;
};

declare var React: {
    createElement(
        type: unknown,
        props?: Record<string, unknown> | null,
        ...children: any[]
    ): unknown;
    useLayoutEffect(effect: () => void | (() => void), dependencies?: unknown[]): void;
    useRef<T>(initial: T | null): { current: T | null };
};
