"""Where the long work of a run is done. Knows no stage by name: work comes as values."""
