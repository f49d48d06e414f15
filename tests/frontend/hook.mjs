// What `node --import` needs to run the modules outside of a page: `page/…` is their folder.
// `constants.js` is the file that Python wrote; the variable FRONTEND_CONSTANTS names it.

import { register } from "node:module";
import { pathToFileURL } from "node:url";

const constants = pathToFileURL(process.env.FRONTEND_CONSTANTS ?? "").href;
const page = new URL(
    "../../review/plugin/renumics/spotlight_plugins/review_embeddings/frontend/",
    import.meta.url,
).href;

const hooks = `
export async function resolve(specifier, context, next) {
    if (specifier.endsWith("/constants.js")) {
        return { url: ${JSON.stringify(constants)}, format: "module", shortCircuit: true };
    }
    return next(specifier.replace(/^page[/]/, ${JSON.stringify(page)}), context);
}
export async function load(url, context, next) {
    return next(url, url.endsWith(".js") ? { ...context, format: "module" } : context);
}
`;

register(`data:text/javascript,${encodeURIComponent(hooks)}`);
