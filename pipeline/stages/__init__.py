"""Owns which stages there are, their inputs, outputs and versions, what is current and why not."""
