"""Owns which checkpoints there are and what turns an image into an embedding and class
probabilities. Knows no data set, no table and no stage."""
