"""Owns what an image is: its id, content hash, label and bytes; which images were found, which
read, and which skipped and why. Knows no model: what a model takes is only kept here."""
