"""What an image can be said to be: the closed sets of names that the analyses share. Imports
nothing, so that whoever declares or lists them needs no numeric library."""

from __future__ import annotations

KINDS = ("no", "near", "exact")
"""Not twice; the same picture in another file; the same file."""

LIVES = ("never", "passing", "resolved", "emergent", "persistent")
"""An outlier at no checkpoint; only in between; at the first but not at the last; at the last but
not at the first; at both."""

SCORED = ("odd_aspect_ratio", "dark", "light", "low_information", "blurry")
"""What cleanvision gives a score for, by its names; what explains others first: a dark picture
seems blurry and empty too."""

GRAY = "gray"

NOT_CHECKED, FINE = "not checked", "none"

ISSUES = (NOT_CHECKED, FINE, *SCORED, GRAY)
"""What a picture can be said to be."""

EVEN = 0.5
"""Label quality at which the given label and the best other one are as likely as each other."""
