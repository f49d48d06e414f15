"""Owns reports on a run: the summary page and the search for similar images. Knows no Spotlight."""
