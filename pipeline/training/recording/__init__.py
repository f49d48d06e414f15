"""Owns what `Recorder` needs of a module of torch and of a person's transform, and how both are
left as they were. Knows no run folder and no training loop."""
