"""Owns the commands, options and questions about two data sets or several runs. Knows no page and
no numbers of a comparison."""
