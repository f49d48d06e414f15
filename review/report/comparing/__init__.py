"""Owns how a comparison of runs is shown: as text, as JSON and as a page in one file. Knows no
command line and works out no number."""
