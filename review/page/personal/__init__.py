"""Owns what a person made of the page: its layout in windows of each size, its colours. Knows
neither requests nor the run that is shown."""
