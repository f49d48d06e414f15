// Puts the parts of a page together: its images, the server behind them, slider and decisions.
// Everything that draws is given one of these.

/** @import { ReviewServer, ReviewTable, Session, Surroundings } from "../types.js" */

import { Current } from "./current.js";
import { Decisions } from "./decisions.js";
import { Listeners } from "./listeners.js";
import { Maps } from "./maps.js";
import { Player } from "./play.js";
import { Slider } from "./slider.js";
import { CheckpointValues } from "./values.js";

export class ReviewPage {
    /** What was read last. @type {Session} */
    session = {};
    /** Called once the session was read, and each time it was read again. @type {Listeners} */
    sessionRead = new Listeners();

    /**
     * @param {ReviewTable} table
     * @param {ReviewServer} server
     * @param {Surroundings} surroundings
     */
    constructor(table, server, surroundings) {
        this.table = table;
        this.server = server;
        this.values = new CheckpointValues(server);
        this.slider = new Slider(table, this.values);
        this.decisions = new Decisions(table, server, surroundings);
        this.current = new Current(table);
        const player = new Player(this.slider, surroundings.later);
        this.maps = new Maps(table, server, surroundings.tabStorage, player);
    }

    /** Read the session and show it; then follow the run. */
    async open() {
        const session = this.#readSession();
        this.table.onRead((again) => again && void this.#follow());
        this.slider.open(await session);
        await this.table.loaded;
        this.#greet();
        await this.decisions.start();
    }

    async #follow() {
        const session = await this.#readSession();
        if (session.title) this.table.setTitle(session.title);
        const hadSlider = this.slider.current !== undefined;
        this.slider.follow(session);
        if (session.news && hadSlider && session.start !== undefined)
            this.table.notify(session.news);
    }

    async #readSession() {
        this.session = await this.server.session().catch(() => this.session);
        this.values.table = this.session.table;
        this.decisions.connection.table = this.session.table;
        this.decisions.shownSteps = this.session.shown ?? [];
        this.sessionRead.call();
        return this.session;
    }

    /** Name the run and select the first list, unless somebody was faster. */
    #greet() {
        const { title, selected } = this.session;
        if (title) this.table.setTitle(title);
        if (selected?.length && this.table.selected.length === 0) this.table.select(selected);
    }
}
