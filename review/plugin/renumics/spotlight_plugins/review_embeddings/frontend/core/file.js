// The outbox as a file, for `review-embeddings import`: what was decided, by image, in the order
// in which it was decided. Nothing in it needs this browser or this address.

/** @import { Entry } from "../types.js" */

import { OUTBOX } from "../constants.js";

const VERSION = 1;

/** @param {Entry[]} entries Of one run. */
export function outboxFile(entries) {
    const run = entries[0]?.message.body.run ?? "";
    const messages = entries.map(({ message: { path, body }, time, reason }) => ({
        path,
        time,
        ...(reason === undefined ? {} : { reason }),
        ...body,
    }));
    const text = JSON.stringify({ format: OUTBOX, version: VERSION, run, messages }, null, 1);
    return { name: `${OUTBOX}-${run.slice(0, 8)}.json`, text: `${text}\n` };
}
