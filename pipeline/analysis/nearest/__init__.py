"""Owns vectors as they are compared, and the best that a product of all with all proposes.

Knows nothing of what neighbours are for (`neighbors`).
"""
