// Puts the parts of a page together: its images, the server behind them, slider and decisions.
// Everything that draws is given one of these.

/** @import { ReviewServer, ReviewTable, Session, Surroundings } from "../types.js" */

import { isFailure, UNREACHABLE } from "./answers.js";
import { LabelsAnew } from "./anew.js";
import { Cards } from "./cards.js";
import { ClassView } from "./classview.js";
import { Current } from "./current.js";
import { Deciding } from "./deciding.js";
import { Decisions } from "./decisions.js";
import { NoteDrafts } from "./drafts.js";
import { Forms } from "./forms.js";
import { GainOrder } from "./gain.js";
import { Keys } from "./keys.js";
import { Listeners } from "./listeners.js";
import { Maps } from "./maps.js";
import { NearestImages } from "./nearest.js";
import { NewClasses } from "./newclasses.js";
import { Notes } from "./notes.js";
import { OfferedLists } from "./lists.js";
import { Overlay } from "./overlay.js";
import { Pictures } from "./pictures.js";
import { Player } from "./play.js";
import { RemainingFinds } from "./remaining.js";
import { ASK_AGAIN, Requests } from "./requests.js";
import { Review } from "./review.js";
import { SavedLists } from "./savedlists.js";
import { Slider } from "./slider.js";
import { CheckpointValues } from "./values.js";
import { Zooming } from "./zoom.js";

/** What the page cannot be read without, for people. */
const SESSION = "the checkpoints and lists";

export class ReviewPage {
    /** What was read last. @type {Session} */
    session = {};
    /** Called once the session was read, and each time it was read again. @type {Listeners} */
    sessionRead = new Listeners();

    #asked = 0;
    #answered = 0;
    #isBegun = false;

    /** Called when a list is opened that a person wants to see now. @type {Listeners} */
    reviewAsked = new Listeners();

    /**
     * @param {ReviewTable} table
     * @param {ReviewServer} server
     * @param {Surroundings} surroundings
     */
    constructor(table, server, surroundings) {
        this.table = table;
        this.server = server;
        this.surroundings = surroundings;
        this.requests = new Requests();
        this.values = new CheckpointValues(server, this.requests);
        this.slider = new Slider(table, this.values);
        this.decisions = new Decisions(table, server, surroundings, this.requests);
        this.current = new Current(table);
        this.pictures = new Pictures(table, surroundings);
        this.nearest = new NearestImages(this.requests, server);
        this.keys = new Keys();
        this.overlay = new Overlay();
        this.zooming = new Zooming(surroundings.storage);
        this.offered = new OfferedLists(table, () => this.session);
        const { holding } = this.decisions;
        this.reviewers = holding.reviewers;
        const followed = { table, current: this.current, holding };
        this.review = new Review(followed, this.offered, surroundings);
        this.remaining = new RemainingFinds(this.review, holding, this.requests, server);
        const { tabStorage } = surroundings;
        this.anew = new LabelsAnew(this.review, holding, this.requests, server, tabStorage);
        this.gain = new GainOrder(this.review, this.decisions, server);
        this.offered.ordered = (list) => this.gain.of(list);
        this.gain.changed.add(() => this.review.changed.call());
        this.cards = new Cards(this.requests, server, this.current);
        this.drafts = new NoteDrafts(surroundings.tabStorage);
        this.notes = new Notes(this);
        this.deciding = new Deciding(this);
        this.forms = new Forms(this);
        this.classes = new NewClasses(this.decisions);
        this.saved = new SavedLists(
            this.decisions,
            server,
            this.overlay,
            () => this.session,
        );
        this.classView = new ClassView(this);
        this.offered.sources.push(() => this.saved.lists);
        this.offered.disputed = () => this.reviewers.lists;
        this.saved.changed.add(() => this.review.changed.call());
        this.decisions.changed.add(() => this.review.recount());
        this.current.changed.add(() => {
            this.cards.ahead(this.review.next);
            this.nearest.ahead(this.review.next);
        });
        const player = new Player(this.slider, surroundings);
        this.maps = new Maps(table, this.cards, surroundings.tabStorage, player);
    }

    /** Read the session and show it; then follow the run. */
    async open() {
        const { again, onWake } = this.surroundings;
        this.table.onRead((isAgain) => {
            if (!isAgain) return;
            this.slider.leave();
            void this.#readSession();
        });
        again(() => this.#retry(), ASK_AGAIN);
        onWake(() => this.#retry());
        await this.#readSession();
        await this.table.loaded;
        await this.decisions.start();
    }

    /** Ask again for what could not be read. */
    #retry() {
        this.requests.retry();
        const isAsked = this.#answered < this.#asked;
        if (!isAsked && this.requests.failures.has(SESSION)) void this.#readSession();
    }

    /** What a later question answers is not taken from an earlier one. */
    async #readSession() {
        const number = (this.#asked += 1);
        const session = await this.server.session().catch(() => UNREACHABLE);
        if (number !== this.#asked) return;
        this.#answered = number;
        if (!isFailure(session)) await this.#show(session);
        this.requests.hear(this, SESSION, isFailure(session) ? session : null);
    }

    /** @param {Session} session */
    async #show(session) {
        const isFirst = !this.#isBegun;
        this.#isBegun = true;
        this.session = session;
        this.requests.table = session.table;
        this.table.setImages(session.images ?? "");
        this.decisions.connection.table = session.table;
        this.decisions.shownSteps = session.shown ?? [];
        this.sessionRead.call();
        if (!isFirst) return this.#follow();
        this.slider.open(session);
        await this.table.loaded;
        this.#begin();
    }

    #follow() {
        const { session } = this;
        this.review.changed.call();
        if (session.title) this.table.setTitle(session.title);
        const hadSlider = this.slider.current !== undefined;
        this.slider.follow(session);
        if (session.news && hadSlider && session.start !== undefined)
            this.table.notify(session.news);
    }

    /** Name the run, and show the first image to decide about. */
    #begin() {
        const { title = "" } = this.session;
        if (title) this.table.setTitle(title);
        this.drafts.read(title);
        this.review.start(this.session);
        this.#resumeSlider();
        this.anew.start(title);
    }

    /** Go to the checkpoint where it stood before the page was loaded again. */
    #resumeSlider() {
        const { bookmarks } = this.review;
        const { step } = bookmarks;
        if (step !== undefined && step !== this.slider.current?.step) void this.slider.goTo(step);
        this.slider.moved.add(() => bookmarks.putStep(this.slider.current?.step ?? 0));
    }
}
