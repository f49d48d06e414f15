"""``python -m tests.docs``: write the generated parts of all pages anew, from the declarations.

With ``--check`` nothing is written; exit code 1 and the names of the pages that would change.
"""

from __future__ import annotations

import argparse
import sys

from tests.docs.pages import PAGES, ROOT
from tests.docs.parts import filled


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 where all pages are in step, or were written."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args(arguments).check
    behind = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        made = filled(text)
        if made != text:
            behind.append(path)
            print(f"{'Not in step' if check else 'Wrote'}: {path.relative_to(ROOT)}")
            if not check:
                path.write_text(made, encoding="utf-8")
    if check and behind:
        print("Write them anew: python -m tests.docs")
    return int(check and bool(behind))


if __name__ == "__main__":
    sys.exit(main())
