"""What can be decided about an image."""

KEEP, RELABEL, REMOVE, DUPLICATE, UNSURE = "keep", "relabel", "remove", "duplicate", "unsure"

DECISIONS = (KEEP, RELABEL, REMOVE, DUPLICATE, UNSURE)
"""It is right as it is, it has another label, it does not belong here, it is there twice, it is to
be looked at again."""

UNDECIDED = "undecided"
"""Clears an earlier decision."""

LAST, LEAVE = "last", "keep"

DISPUTED = (LAST, LEAVE)
"""What is done with an image about which reviewers differ: the last decision counts, or it stays as
it is."""
