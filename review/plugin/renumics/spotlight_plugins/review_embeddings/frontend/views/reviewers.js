// How far the reviewers agree, as a sheet over the page: a row for each pair of them, for all
// images and for each list.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { ListedAgreement } from "../types.js" */

import { h } from "../dom/node.js";

const HEADINGS = ["", "Reviewers", "Images", "The same", "Kappa"];

/** @param {ReviewPage} page */
export function agreementView({ reviewers, overlay }) {
    const { agreement, fault } = reviewers;
    return h(
        "div",
        { class: "review-sheet" },
        h("h2", {}, "Agreement of the reviewers"),
        h(
            "p",
            {},
            "Of the images that all who are named decided about; a relabel to another class is " +
                "another decision. Cohen's kappa of two, Fleiss' of more: 1 is agreement " +
                "throughout, 0 that of chance; none is said of fewer than 10 images. What ended " +
                "a dispute is left out.",
        ),
        fault && h("p", { role: "alert", class: "review-wrong" }, `It is not known: ${fault}.`),
        !agreement && !fault && h("p", { class: "review-muted" }, "One moment …"),
        agreement?.length === 0 && h("p", {}, "No two have decided about the same image."),
        Boolean(agreement?.length) && tableView(agreement ?? []),
        h("button", { class: "review-main", onClick: () => overlay.close() }, "Close"),
    );
}

/** @param {ListedAgreement[]} agreement */
const tableView = (agreement) =>
    h(
        "table",
        { class: "review-agreement" },
        h("tr", {}, HEADINGS.map((name) => h("th", { key: name, scope: "col" }, name))),
        agreement.map(({ title, rows }) =>
            rows.map((row, index) =>
                h(
                    "tr",
                    { key: `${title} ${row.who}` },
                    h("td", {}, index === 0 ? title : ""),
                    h("td", {}, row.who),
                    h("td", { class: "review-number" }, row.images.toLocaleString()),
                    h("td", { class: "review-number" }, row.same.toLocaleString()),
                    h(
                        "td",
                        { class: "review-number", title: `${row.method}'s kappa` },
                        row.kappa === null ? "–" : row.kappa.toFixed(2),
                    ),
                ),
            ),
        ),
    );
