"""Spotlight alone with the frame that our page shows, as a person would start it:
``spotlight_page.py INPUTS STATE``. Serves its page until it is ended."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pandas as pd


def main(inputs: Path, state: Path) -> None:
    os.chdir(state)
    from renumics import spotlight

    frame = pd.read_pickle(inputs / "frame.pickle")
    viewer = spotlight.show(frame, no_browser=True, wait=False, analyze=False)
    print(f"at {viewer.url}", flush=True)
    while True:
        time.sleep(3600)


main(*map(Path, sys.argv[1:]))
