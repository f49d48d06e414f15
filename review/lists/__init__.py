"""Owns the lists of images that a person should look at: title, selection, order and reason."""
