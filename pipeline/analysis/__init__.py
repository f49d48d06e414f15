"""Owns what follows from arrays: neighbours, scores, labels, copies, maps, trust, trajectories.

Pure: knows no disk, no run folder and no command line.
"""
