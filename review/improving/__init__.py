"""Owns the proof that cleaning helped: which trainings it takes, their folder, and the sentence
that their evaluations allow. Knows neither the command line nor how a model is trained."""
