"""Owns what the page of a run shows of other runs beside it: their columns, maps, rows and cards.

Knows no command line, and leaves all that is worked out between runs to `comparison`.
"""
