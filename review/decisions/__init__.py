"""Owns what people decided about images. Knows no page and no file format but its own log."""
