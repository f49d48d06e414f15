"""The import map of a shared page: which modules it holds, and that each finds the others."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from review_embeddings.review.page.frontend import frontend_modules
from review_embeddings.review.share.modules import import_map, reached
from review_embeddings.review.share.page import ENTRY

MODULES = {
    "share/main.js": b'import {\n    a,\n} from "../core/a.js";\nimport "./side.js";\nstart(a);\n',
    "share/side.js": b"export * from \"../core/b.js\";\nexport { c } from '../c.js';\n",
    "core/a.js": b'// import "./no.js"\nexport const a = "100 %#<\\n>";\n',
    "core/b.js": b'import * as main from "../share/main.js";\n',
    "c.js": 'export const c = "Größe\t`😀`";\nexport const from = "./d.js";\n'.encode(),
    "d.js": b"export {};\n",
}


def source_of(address: str) -> str:
    assert address.startswith("data:text/javascript;charset=utf-8,")
    return unquote(address.partition(",")[2])


def test_it_holds_what_the_entry_reaches_and_nothing_else() -> None:
    assert reached("share/main.js", MODULES) == [
        "c.js",
        "core/a.js",
        "core/b.js",
        "share/main.js",
        "share/side.js",
    ]


def test_imports_become_names_of_the_map_and_all_else_stays_as_it_is() -> None:
    found = {
        name: source_of(address) for name, address in import_map("share/main.js", MODULES).items()
    }
    assert found["review/share/main.js"] == (
        'import {\n    a,\n} from "review/core/a.js";\nimport "review/share/side.js";\nstart(a);\n'
    )
    assert found["review/share/side.js"] == (
        "export * from \"review/core/b.js\";\nexport { c } from 'review/c.js';\n"
    )
    assert found["review/core/a.js"].encode() == MODULES["core/a.js"]
    assert found["review/c.js"].encode() == MODULES["c.js"]


def test_an_address_ends_neither_itself_nor_the_page_it_stands_in() -> None:
    for address in import_map("share/main.js", MODULES).values():
        assert not re.search(r"[\n\r\t<>\"'`\\#]", address)


@pytest.mark.parametrize("specifier", ["./gone.js", "react", "https://example.org/a.js"])
def test_an_import_of_what_is_not_there_is_refused(specifier: str) -> None:
    with pytest.raises(ValueError, match="a.js"):
        import_map("a.js", {"a.js": f'import "{specifier}";\n'.encode()} | {"gone.txt": b""})


def test_no_module_of_the_page_is_loaded_otherwise() -> None:
    """By relative paths that are no static imports, which the map would not hold."""
    modules = frontend_modules()
    for path in reached(ENTRY, modules):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", modules[path].decode(), flags=re.DOTALL)
        assert not re.search(r"\bimport\s*\(", code), path
        assert not re.search(r"import\.meta", code), path
