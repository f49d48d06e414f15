"""Owns the options and the questions of commands about several runs. Knows no page and no numbers
of a comparison."""
