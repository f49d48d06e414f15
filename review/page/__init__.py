"""Owns the page in Spotlight: its frame, its layout, and starting and stopping Spotlight. Knows no
command line and no report."""
