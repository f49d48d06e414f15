// What the page asks of the browser: where text is kept, when the page is seen again, how a file is
// saved. The modules in core/ are given it, and know no browser.

/** @import { LoadedPicture, Preference, SharedStorage, Surroundings } from "./types.js" */

/** @returns {Surroundings} */
export const browserSurroundings = () => ({
    storage: sharedStorage(() => localStorage),
    tabStorage: {
        getItem: (key) => sessionStorage.getItem(key),
        setItem: (key, value) => sessionStorage.setItem(key, value),
    },
    later: (work, wait) => void setTimeout(work, wait),
    again: (work, wait) => void setInterval(work, wait),
    isStill: () => matchMedia("(prefers-reduced-motion: reduce)").matches,
    onWake,
    guardLeaving(isNeeded) {
        addEventListener("beforeunload", (event) => isNeeded() && event.preventDefault());
    },
    download,
    copy,
    reload: () => location.reload(),
    loadPicture,
});

/** @returns {Preference} */
export function darkPreference() {
    const query = matchMedia("(prefers-color-scheme: dark)");
    return {
        holds: () => query.matches,
        onChange(listener) {
            query.addEventListener("change", listener);
            return () => query.removeEventListener("change", listener);
        },
    };
}

/**
 * @param {() => Storage} storage Throws where the browser keeps nothing for this page.
 * @returns {SharedStorage}
 */
const sharedStorage = (storage) => ({
    keys: () => Object.keys(storage()),
    getItem: (key) => storage().getItem(key),
    setItem: (key, value) => storage().setItem(key, value),
    removeItem: (key) => storage().removeItem(key),
    onChange(listener) {
        const hear = (/** @type {StorageEvent} */ event) => listener(event.key);
        addEventListener("storage", hear);
        return () => removeEventListener("storage", hear);
    },
});

/** @param {() => void} listener */
function onWake(listener) {
    const see = () => document.visibilityState === "visible" && listener();
    addEventListener("online", listener);
    document.addEventListener("visibilitychange", see);
    return () => {
        removeEventListener("online", listener);
        document.removeEventListener("visibilitychange", see);
    };
}

/**
 * @param {string} name
 * @param {string} text
 */
function download(name, text) {
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: address, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60 * 1000);
}

/** @param {string} text */
async function copy(text) {
    try {
        await navigator.clipboard.writeText(text); // there is none on a page without TLS
        return true;
    } catch {
        return false;
    }
}

/**
 * The answer as a blob, because a browser asks again for what it may not keep; the element holds
 * the decoded picture.
 * @param {string} address
 * @returns {Promise<LoadedPicture>}
 */
async function loadPicture(address) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`There is no picture: ${response.status}.`);
    const url = URL.createObjectURL(await response.blob());
    const image = Object.assign(new Image(), { src: url });
    await image.decode().catch((error) => {
        URL.revokeObjectURL(url);
        throw error;
    });
    return {
        address: url,
        pixels: image.naturalWidth * image.naturalHeight,
        release() {
            URL.revokeObjectURL(url);
            image.removeAttribute("src");
        },
    };
}
