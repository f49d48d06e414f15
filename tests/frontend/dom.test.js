import assert from "node:assert/strict";
import { test } from "node:test";

import { PREFIX, ROUTES } from "page/constants.js";
import { STAND_IN, standIn } from "page/dom/broken.js";
import { render } from "page/dom/draw.js";
import { mount } from "page/dom/mount.js";
import { h, textOf } from "page/dom/node.js";
import { borrowsFocus } from "page/views/borrowing.js";

import { all, host } from "./document.js";

test("children are flattened, numbers are text, and what is false keeps its position", () => {
    const node = h("p", {}, 1, [null, ["b"]], false, h("b", {}, "c"));
    assert.deepEqual(node.children.slice(0, 4), ["1", null, "b", null]);
    assert.equal(textOf(node), "1bc");
});

test("elements that stay are the same ones, whatever comes before them", () => {
    const page = host();
    const draw = (/** @type {boolean} */ warned) =>
        render(page, h("div", {}, warned && h("p", {}, "read only"), h("input", { value: "a" })));
    draw(false);
    const [input] = all(page, "input");
    draw(true);
    assert.equal(all(page, "input")[0], input);
    assert.equal(page.textContent, "read only");
    draw(false);
    assert.equal(all(page, "input")[0], input);
    assert.equal(all(page, "p").length, 0);
});

test("drawing the same again moves and touches nothing", () => {
    const page = host();
    const node = () => h("ul", {}, h("li", { key: "a" }, "A"), h("li", { key: "b" }, "B"));
    render(page, node());
    const [list] = all(page, "ul");
    const { moves } = list;
    render(page, node());
    assert.equal(list.moves, moves);
});

test("keys tell elements from each other when their order changes", () => {
    const page = host();
    const draw = (/** @type {string[]} */ names) =>
        render(
            page,
            h(
                "ul",
                {},
                names.map((name) => h("li", { key: name }, name)),
            ),
        );
    draw(["a", "b", "c"]);
    const [a, b, c] = all(page, "li");
    draw(["c", "a"]);
    assert.deepEqual(all(page, "li"), [c, a]);
    assert.equal(b.parent, null);
});

test("an element of another kind is a new one", () => {
    const page = host();
    render(page, h("b", {}, "x"));
    render(page, h("i", {}, "x"));
    assert.equal(all(page, "b").length, 0);
    assert.equal(all(page, "i").length, 1);
});

test("properties, attributes, styles and handlers are set, changed and taken away", () => {
    const page = host();
    const work = () => undefined;
    const first = {
        title: "a",
        "aria-label": "b",
        style: { margin: 0, color: "red" },
        onClick: work,
    };
    render(page, h("button", first));
    const [button] = all(page, "button");
    assert.equal(button.title, "a");
    assert.equal(button.attributes["aria-label"], "b");
    assert.deepEqual(button.style, { margin: "0", color: "red" });
    assert.equal(button.onclick, work);
    render(page, h("button", { style: { color: "blue" } }));
    assert.equal(button.title, "");
    assert.equal("aria-label" in button.attributes, false);
    assert.deepEqual(button.style, { margin: "", color: "blue" });
    assert.equal(button.onclick, null);
});

test("a field gets its value back where a person changed it, and is left alone otherwise", () => {
    const page = host();
    render(page, h("input", { value: "a" }));
    const [input] = all(page, "input");
    let set = 0;
    let value = "typed";
    Object.defineProperty(input, "value", {
        get: () => value,
        set: (given) => {
            set += 1;
            value = given;
        },
    });
    render(page, h("input", { value: "typed" }));
    assert.equal(set, 0);
    render(page, h("input", { value: "" }));
    assert.equal(value, "");
});

test("what is inside a drawing is of its namespace and takes attributes only", () => {
    const page = host();
    render(page, h("svg", { width: 160 }, h("rect", { x: 1 }, h("title", {}, "step 10"))));
    const [title] = all(page, "title");
    assert.match(title.namespaceURI, /svg$/);
    assert.equal(all(page, "rect")[0].attributes.x, "1");
    assert.equal(all(page, "svg")[0].attributes.width, "160");
});

test("onMount is called once, when the element stands in the page", () => {
    const page = host();
    /** @type {boolean[]} */
    const attached = [];
    const draw = () =>
        render(
            page,
            h(
                "p",
                {},
                h("input", { onMount: (input) => attached.push(input.parent.parent === page) }),
            ),
        );
    draw();
    draw();
    assert.deepEqual(attached, [true]);
});

test("a widget is drawn with what it is given and again when it asks, until it is closed", () => {
    const page = host();
    let ask = () => {};
    let count = 0;
    /** @param {any} _ @param {() => void} redraw */
    const widget = (_, redraw) => {
        ask = redraw;
        return {
            view: (/** @type {{ name: string }} */ { name }) => h("p", {}, `${name} ${count}`),
        };
    };
    const mounted = mount(page, widget, /** @type {any} */ (null), { name: "a" });
    assert.equal(page.textContent, "a 0");
    count = 1;
    ask();
    assert.equal(page.textContent, "a 1");
    mounted.update({ name: "b" });
    assert.equal(page.textContent, "b 1");
    mounted.close();
    ask();
    assert.equal(page.childNodes.length, 0);
});

test("what leaves the page is told so, with all that is in it, before what is new", () => {
    const page = host();
    /** @type {string[]} */
    const heard = [];
    const part = (/** @type {string} */ name) => ({
        key: name,
        onMount: () => heard.push(`+${name}`),
        onGone: () => heard.push(`-${name}`),
    });
    render(page, h("div", {}, h("p", part("a"), h("input", part("b"))), h("p", part("c"))));
    render(page, h("div", {}, h("p", part("c")), h("p", part("d"))));
    assert.deepEqual(heard.splice(0, 3).sort(), ["+a", "+b", "+c"]);
    assert.deepEqual([heard.slice(0, 2).sort(), heard.slice(2)], [["-a", "-b"], ["+d"]]);
});

test("a field gives the focus back to what had it, or to what stands in its place", () => {
    const page = host();
    const { ownerDocument } = page;
    const draw = (/** @type {boolean} */ isOpen, /** @type {string} */ owner) =>
        render(
            page,
            h(
                "div",
                {},
                h("button", { key: owner }, owner),
                isOpen && h("input", { key: "field", ...borrowsFocus(() => {}, instead) }),
            ),
        );
    const instead = () => all(page, "button")[0];
    draw(false, "a");
    const [owner] = all(page, "button");
    owner.focus();
    draw(true, "a");
    assert.equal(ownerDocument.activeElement, all(page, "input")[0]);
    draw(false, "a");
    assert.equal(ownerDocument.activeElement, owner);
    draw(true, "a");
    draw(false, "b"); // its owner went with it
    assert.equal(ownerDocument.activeElement.textContent, "b");
    const [slider] = all(page, "button");
    slider.matches = (/** @type {string} */ selector) => selector.includes("type=range");
    draw(true, "b");
    draw(false, "b");
    assert.equal(ownerDocument.activeElement, ownerDocument.body, "the arrows are the page's");
    draw(true, "b");
    owner.focus = () => assert.fail("it is nowhere");
    const elsewhere = ownerDocument.createElement("button");
    ownerDocument.body.insertBefore(elsewhere, null);
    elsewhere.focus();
    draw(false, "b");
    assert.equal(ownerDocument.activeElement, elsewhere, "somebody has it already");
});

test("words stand in for a picture of ours that cannot be had, and it is asked for again", () => {
    /** @type {(() => void)[]} */
    const waiting = [];
    const later = (/** @type {() => void} */ work) => void waiting.push(work);
    const picture = (/** @type {string} */ src) => ({
        tagName: "IMG",
        src,
        isConnected: true,
        getAttribute: () => picturesOf.get(target)?.src,
        setAttribute(/** @type {string} */ _, /** @type {string} */ value) {
            this.src = value;
        },
    });
    /** @type {Map<object, { src: string }>} */
    const picturesOf = new Map();
    /** @type {any} */
    let target = {};
    const begin = (/** @type {string} */ src) => {
        target = picture(src);
        picturesOf.set(target, target);
        standIn({ target }, later);
        return target.src;
    };
    assert.equal(begin("other.png"), "other.png", "not ours");
    standIn({ target: { tagName: "SCRIPT" } }, later);
    assert.equal(waiting.length, 0);
    const ours = `${PREFIX}${ROUTES.image}/7?side=128`;
    assert.equal(begin(ours), STAND_IN);
    waiting.shift()?.();
    assert.equal(target.src, ours, "asked for again");
    standIn({ target }, later);
    target.src = "another row's";
    waiting.shift()?.();
    assert.equal(target.src, "another row's", "which it shows now");
    for (let tries = 0; tries < 100; tries += 1) {
        target.src = ours;
        standIn({ target }, later);
    }
    assert(waiting.length < 100, "not for ever");
});
