// The parts of Node's test runner that the tests use.

declare module "node:test" {
    export function test(name: string, work: () => void | Promise<void>): void;
}

declare module "node:assert/strict" {
    const assert: {
        (value: unknown, message?: string): asserts value;
        fail(message?: string): never;
        equal(one: unknown, other: unknown, message?: string): void;
        notEqual(one: unknown, other: unknown, message?: string): void;
        deepEqual(one: unknown, other: unknown, message?: string): void;
        match(text: string, pattern: RegExp): void;
        throws(work: () => unknown, pattern: RegExp): void;
        rejects(work: Promise<unknown>, pattern: RegExp): Promise<void>;
    };
    export default assert;
}

declare module "node:module" {
    export function register(specifier: string): void;
}

declare module "node:url" {
    export function pathToFileURL(path: string): URL;
}
declare function setImmediate(work: (nothing: void) => void): unknown;

declare module "node:fs" {
    export function readFileSync(path: string, encoding: string): string;
}

declare var process: { env: Record<string, string | undefined> };
