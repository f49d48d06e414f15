"""The review of a run in Renumics Spotlight, and the command line `review-embeddings`."""
