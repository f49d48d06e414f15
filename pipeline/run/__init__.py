"""Owns every path inside a run folder and how files get there: whole or not at all, on a disk or in
an object store. Knows no image, no model and no stage."""
