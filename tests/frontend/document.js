// As much of a document as the drawing functions touch: children, attributes and styles.
// Some properties exist on every element, as in a browser; everything else becomes an attribute.

const SVG = "http://www.w3.org/2000/svg";

class FakeNode {
    /** @type {FakeElement | null} */
    parent = null;
    /** @type {any} */
    nodeValue = null;
    /** @type {FakeNode[]} */
    childNodes = [];

    /** @param {any} ownerDocument */
    constructor(ownerDocument) {
        this.ownerDocument = ownerDocument;
    }

    /** @returns {string} */
    get textContent() {
        return this.nodeValue ?? this.childNodes.map((child) => child.textContent).join("");
    }
}

export class FakeElement extends FakeNode {
    /** @type {Record<string, string>} */
    attributes = {};
    /** @type {Record<string, string>} */
    style = {};
    title = "";
    value = "";
    disabled = false;
    /** How often something was put in or taken out. */
    moves = 0;

    /**
     * @param {any} ownerDocument
     * @param {string} tag
     * @param {string} namespaceURI
     */
    constructor(ownerDocument, tag, namespaceURI) {
        super(ownerDocument);
        this.tag = tag;
        this.namespaceURI = namespaceURI;
        if (namespaceURI === SVG) Object.assign(this, { ownerSVGElement: null });
    }

    get isConnected() {
        let at = /** @type {FakeElement | null} */ (this);
        while (at?.parent) at = at.parent;
        return at === this.ownerDocument.body;
    }

    focus() {
        this.ownerDocument.activeElement = this;
    }

    /**
     * @param {FakeNode} child
     * @param {FakeNode | null} before
     */
    insertBefore(child, before) {
        child.parent?.removeChild(child);
        const index = before ? this.childNodes.indexOf(before) : this.childNodes.length;
        this.childNodes.splice(index, 0, child);
        child.parent = this;
        this.moves += 1;
    }

    /** @param {FakeNode} child */
    removeChild(child) {
        this.childNodes.splice(this.childNodes.indexOf(child), 1);
        child.parent = null;
        const { activeElement, body } = this.ownerDocument;
        if (activeElement && !activeElement.isConnected) this.ownerDocument.activeElement = body;
        this.moves += 1;
    }

    /**
     * @param {string} name
     * @param {string} value
     */
    setAttribute(name, value) {
        this.attributes[name] = value;
    }

    /** @param {string} name */
    removeAttribute(name) {
        delete this.attributes[name];
        if (name === "title") this.title = "";
        if (name === "disabled") this.disabled = false;
    }
}

/** An empty element of a page. @returns {any} */
export function host() {
    /** @type {any} */
    const page = {
        activeElement: null,
        createElement: (/** @type {string} */ tag) => new FakeElement(page, tag, ""),
        createElementNS: (/** @type {string} */ space, /** @type {string} */ tag) =>
            new FakeElement(page, tag, space),
        createTextNode: (/** @type {string} */ text) =>
            Object.assign(new FakeNode(page), { nodeValue: text }),
    };
    page.body = page.createElement("body");
    const element = page.createElement("div");
    page.body.insertBefore(element, null);
    return element;
}

/**
 * All elements of a kind below one, in the order of the page.
 * @param {any} element
 * @param {string} tag
 * @returns {any[]}
 */
export function all(element, tag) {
    return element.childNodes.flatMap((/** @type {any} */ child) => [
        ...(child.tag === tag ? [child] : []),
        ...all(child, tag),
    ]);
}
