"""Turns arrays into what follows from them: neighbours, scores, labels, copies, maps, trust.
Pure: no disk, no run folder, no command line."""
