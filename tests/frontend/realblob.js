// The contract, kept by the blob of a real run; the variable REVIEW_BLOB names its file.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { openBlob } from "page/blob/blob.js";

import { knownOf } from "./blobs.js";
import { broken } from "./contract.js";

test("the blob of a real run keeps the promises", async () => {
    const [text = ""] = readFileSync(String(process.env.REVIEW_BLOB), "utf-8").split(",");
    const blob = await openBlob(text);
    assert.deepEqual(await broken(() => knownOf(blob)), []);
});
