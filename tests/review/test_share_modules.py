"""The script of a shared page: which modules it holds, and that each finds what it imports."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from nodetests import node

from review_embeddings.review.page.frontend import frontend_modules
from review_embeddings.review.share.modules import joined, reached
from review_embeddings.review.share.page import ENTRY, GALLERY

MODULES = {
    "share/main.js": b"""import {
    double,
    Pair as Two,
} from "../core/a.js";
import { name } from '../c.js';

export async function start(value) {
    return [double(value), new Two(value).sum, name, this === undefined];
}
""",
    "core/a.js": b"""// import { no } from "./no.js";
import { name as other, own } from "../c.js";

const own$ = own(2);
export function double(value) {
    return value * own$;
}
export class Pair {
    constructor(value) {
        this.sum = `${value}${other}`;
    }
}
""",
    "c.js": "export const name = 'Größe 😀';\nexport const own = (value) => value;\n".encode(),
    "d.js": b"export const unused = 1;\n",
}


def test_it_holds_what_the_entry_reaches_each_behind_what_it_imports() -> None:
    assert reached("share/main.js", MODULES) == ["c.js", "core/a.js", "share/main.js"]
    assert "unused" not in joined("share/main.js", MODULES)


def test_imports_become_constants_and_all_else_stays_as_it_is() -> None:
    assert joined("core/a.js", MODULES) == (
        "const module$0 = (() => { // c.js\n"
        "const name = 'Größe 😀';\nconst own = (value) => value;\n\n"
        "return { name, own };\n})();\n"
        "const module$1 = (() => { // core/a.js\n"
        '// import { no } from "./no.js";\n'
        "const { name: other, own } = module$0;\n"
        "\nconst own$ = own(2);\nfunction double(value) {\n    return value * own$;\n}\n"
        "class Pair {\n    constructor(value) {\n        this.sum = `${value}${other}`;\n    }\n}\n"
        "\nreturn { double, Pair };\n})();\n"
        "const ENTRY = module$1;\n"
    )


def test_it_does_what_the_modules_do() -> None:
    script = joined("share/main.js", MODULES)
    script += "console.log(JSON.stringify(await ENTRY.start(3)));"
    command = [node(), "--input-type=module", "-"]
    done = subprocess.run(command, input=script.encode(), stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == [6, "3Größe 😀", "Größe 😀", False]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('import { a } from "./gone.js";', "gone.js, which is not there"),
        ('import { a } from "react";', "no relative path"),
        ('import { a } from "./b.js";', "imports itself"),
        ('import "./c.js";', 'cannot be joined: import "./c.js";'),
        ('import * as c from "./c.js";', "cannot be joined"),
        ("export let a = 1;", "cannot be joined: export let a"),
        ('export * from "./c.js";', "cannot be joined"),
        ("export default 1;", "cannot be joined"),
        ("export const { a } = b;", "cannot be joined"),
        ('const a = "</SCRIPT>";', "would end its script"),
        ("const a = '<!--';", "would end its script"),
    ],
)
def test_what_cannot_be_joined_is_refused(source: str, said: str) -> None:
    modules = {
        "a.js": f"{source}\n".encode(),
        "b.js": b'import { a } from "./a.js";\n',
        "c.js": b"",
    }
    with pytest.raises(ValueError, match=r"a\.js") as refused:
        joined("a.js", modules)
    assert said in str(refused.value)


@pytest.mark.parametrize("entry", [ENTRY, GALLERY])
def test_no_module_of_the_page_is_loaded_otherwise(entry: str) -> None:
    """By what is no import at its begin, or by its own address."""
    modules = frontend_modules()
    for path in reached(entry, modules):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", modules[path].decode(), flags=re.DOTALL)
        assert not re.search(r"\bimport\s*\(", code), path
        assert not re.search(r"import\.meta", code), path
        assert not re.search(r"^await\b", code, re.MULTILINE), path
