import assert from "node:assert/strict";
import { test } from "node:test";

import { Requests } from "page/core/requests.js";

import { AWAY, settled } from "./fakes.js";
import { randomOf } from "./random.js";

/** @import { Failure } from "page/types.js" */

/** A server whose answers come when the test says so: each holds its key and its table. */
function slow() {
    const requests = new Requests();
    requests.table = "a";
    /** @type {{ key: number, table: string | undefined, answer: (given?: any) => void }[]} */
    const asked = [];
    /** @returns {Promise<string | Failure>} */
    const ask = (/** @type {number} */ key, /** @type {string | undefined} */ table) =>
        new Promise((resolve) => {
            const answer = (given = `${key} of ${table}`) => resolve(given);
            asked.push({ key, table, answer });
        });
    const answers = requests.of("the numbers", ask, 3);
    return { requests, answers, latest: answers.latest(), asked };
}

test("only the answer to what was asked for last is shown, whichever comes first", async () => {
    const { latest, asked } = slow();
    const first = latest.show(1);
    const second = latest.show(2);
    asked[1]?.answer();
    assert.equal(await second, true);
    assert.deepEqual([latest.answer, latest.shown], ["2 of a", { key: 2, answer: "2 of a" }]);
    asked[0]?.answer();
    assert.equal(await first, false);
    assert.equal(latest.answer, "2 of a");
});

test("what was shown stays with its own key until the next answer is there", async () => {
    const { latest, asked } = slow();
    void latest.show(1);
    asked[0]?.answer();
    await settled();
    const going = latest.show(2);
    assert.deepEqual([latest.wanted, latest.answer, latest.shown?.key], [2, undefined, 1]);
    asked[1]?.answer(AWAY);
    assert.equal(await going, false);
    assert.deepEqual([latest.failure, latest.shown?.key], [AWAY, 1]);
});

test("an answer that is known is shown at once, and asked for once", async () => {
    const { answers, latest, asked } = slow();
    const [one, same] = [answers.at(1), answers.at(1)];
    asked[0]?.answer();
    assert.deepEqual([await one, await same, asked.length], ["1 of a", "1 of a", 1]);
    void latest.show(1);
    assert.equal(latest.answer, "1 of a");
});

test("the oldest answers are forgotten", async () => {
    const { answers, asked } = slow();
    for (const key of [1, 2, 3, 1, 4]) {
        const answer = answers.at(key);
        asked.at(-1)?.answer();
        await answer;
    }
    assert.deepEqual([answers.known(1), answers.known(2)], ["1 of a", undefined]);
});

test("nothing of the table before is shown for the new one, and it is asked anew", async () => {
    const { requests, answers, latest, asked } = slow();
    void latest.show(1);
    asked[0]?.answer();
    await settled();
    const late = latest.show(2);
    requests.table = "b";
    assert.deepEqual([latest.answer, latest.shown, answers.known(1)], [undefined, undefined, undefined]);
    asked[1]?.answer();
    assert.equal(await late, false);
    assert.equal(latest.answer, undefined);
    assert.deepEqual([asked[2]?.key, asked[2]?.table], [2, "b"]);
    asked[2]?.answer();
    await settled();
    assert.equal(latest.answer, "2 of b");
});

test("what fails is said by its name, and asked for again until it is there", async () => {
    const { requests, latest, asked } = slow();
    let told = 0;
    requests.changed.add(() => (told += 1));
    void latest.show(1);
    asked[0]?.answer(AWAY);
    await settled();
    assert.deepEqual([...requests.failures], [["the numbers", AWAY]]);
    requests.retry();
    asked[1]?.answer();
    await settled();
    assert.deepEqual([latest.answer, latest.failure, requests.failures.size], ["1 of a", null, 0]);
    assert.equal(told, 2);
    requests.retry();
    assert.equal(asked.length, 2);
});

test("what another table refuses is not asked for again before the table is another", async () => {
    const { requests, latest, asked } = slow();
    void latest.show(1);
    asked[0]?.answer({ kind: "other-table", reason: "built anew" });
    await settled();
    requests.retry();
    assert.equal(asked.length, 1);
    requests.table = "b";
    assert.deepEqual([requests.failures.size, asked.length], [0, 2]);
});

test("an error of the way to the server is a failure as well", async () => {
    const requests = new Requests();
    const answers = requests.of("the numbers", async (/** @type {number} */ key) => {
        throw key ? new Error("built anew") : new TypeError("Failed to fetch");
    });
    assert.deepEqual(await answers.at(1), { kind: "unavailable", reason: "built anew" });
    assert.equal(/** @type {any} */ (await answers.at(0)).kind, "unreachable");
});

test("what is closed shows nothing that comes later", async () => {
    const { requests, latest, asked } = slow();
    const asking = latest.show(1);
    let drawn = 0;
    latest.changed.add(() => (drawn += 1));
    latest.close();
    asked[0]?.answer();
    assert.equal(await asking, false);
    requests.table = "b";
    assert.deepEqual([drawn, asked.length], [0, 1]);
});

test("in any order of questions, tables and answers nothing stands beside another's key", async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
        const { requests, answers, latest, asked } = slow();
        const next = randomOf(seed);
        const pick = (/** @type {number} */ count) => Math.floor(next() * count);
        const others = [answers.latest(), answers.latest()];
        const check = (/** @type {typeof latest} */ { shown, wanted, answer }) => {
            if (shown) assert.equal(shown.answer, `${shown.key} of ${requests.table}`);
            if (answer !== undefined) assert.equal(answer, `${wanted} of ${requests.table}`);
        };
        const all = [latest, ...others];
        for (const one of all) one.changed.add(() => check(one));
        for (let turn = 0; turn < 60; turn += 1) {
            const choice = pick(10);
            if (choice < 4) void all[pick(3)]?.show(pick(4) || undefined);
            else if (choice < 8) asked.splice(pick(asked.length), 1)[0]?.answer();
            else if (choice < 9) asked.splice(pick(asked.length), 1)[0]?.answer(AWAY);
            else requests.table = String.fromCharCode(97 + pick(3));
            if (pick(3) === 0) await settled();
            requests.retry();
            all.forEach(check);
        }
        while (asked.length) {
            asked.splice(pick(asked.length), 1)[0]?.answer();
            await settled();
            requests.retry();
        }
        await settled();
        for (const { wanted, answer } of all) {
            assert.equal(answer, wanted && `${wanted} of ${requests.table}`, `seed ${seed}`);
        }
    }
});
