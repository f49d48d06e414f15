"""Owns the comparison of two data sets: which images were added, removed, relabelled, changed or
moved, as values, text, list and page. Knows neither decisions nor the command line."""
