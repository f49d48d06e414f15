"""Owns what a folder with an adapter of PEFT says, where its base model is, and how the two become
one model. Knows no checkpoint, no data set and no stage."""
