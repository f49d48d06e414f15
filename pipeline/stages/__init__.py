"""Owns which stages there are, their inputs, outputs and versions, what is current and why not.

`registry` declares them, `plan` says what is stale, `execute` computes it, `build` is the list of
its steps. Knows no review and no command line.
"""
