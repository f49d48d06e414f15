"""Reports on a run: the summary page and the search for similar images."""
