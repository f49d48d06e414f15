// Milliseconds that the points of the maps take to move for one frame of a tween.
//     node tween.js TWEEN.JS POINTS FRAMES
import { pathToFileURL } from "node:url";

const [module, points, frames] = process.argv.slice(2);
const { Tween } = await import(pathToFileURL(String(module)).href);
const axis = () => Float32Array.from({ length: Number(points) }, () => Math.random());
const tween = new Tween({ x: axis(), y: axis() }, { x: axis(), y: axis() }, 0);
const started = performance.now();
for (let frame = 0; frame < Number(frames); frame += 1) tween.move(frame % 300);
console.log((performance.now() - started) / Number(frames));
