// Stands for a picture on a page without any: a tile in the colour of the image's class, with the
// begin of its name. A data address.

const LETTERS = 9;

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/**
 * @param {string} name
 * @param {string} color
 */
export function tileOf(name, color) {
    const letters = Array.from(name);
    const short = letters.length > LETTERS ? `${letters.slice(0, LETTERS - 1).join("")}…` : name;
    const drawing =
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64">' +
        `<rect width="64" height="64" fill="${color}" opacity="0.22"/>` +
        `<circle cx="32" cy="26" r="9" fill="${color}"/>` +
        '<text x="32" y="53" font-family="system-ui, sans-serif" font-size="11" ' +
        `text-anchor="middle" fill="#767676">${escaped(short)}</text></svg>`;
    return `data:image/svg+xml,${encodeURIComponent(drawing)}`;
}
