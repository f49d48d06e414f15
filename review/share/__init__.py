"""Owns what leaves a run for pages without a server: a review as one piece, with its numbers in few
bits and its pictures in sheets. Knows no HTML, no Spotlight and no decisions."""
