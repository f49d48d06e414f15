"""Names of the columns that the review works out: no table has them. Needs no numeric library."""

from __future__ import annotations

DECISION, NEW_LABEL, NOTE, REVIEWER, DECIDED_AT = (
    "decision",
    "new_label",
    "note",
    "reviewer",
    "decided_at",
)
"""What was decided about an image; of an undecided one the page says so, and a list is empty."""

DISPUTED = "disputed"
"""Which reviewer decided what, where they differ."""

LISTED_AS = "listed_as"
"""Why an image is in a list that was exported."""

IMAGE_FILE = "image_file"
"""Its copy beside such a list."""

CORRECT = "correct"
"""Whether the prediction is the label, of the first and of the last checkpoint."""

PERCENTILE_BEFORE, PERCENTILE_SINCE = "percentile_before", "percentile_since"
"""In an earlier run, and the change since."""

PERCENTILE_CHANGE, MOVED, OUTLIER = "percentile_change", "moved", "outlier"
"""What happened between the first and the last checkpoint."""

LETTERS = "ABCDEFGH"
"""What people call runs that stand beside each other; so many can be compared at once."""
