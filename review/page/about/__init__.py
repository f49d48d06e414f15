"""Owns what a page says of its run as a whole: the part of the space that its maps show, and what
is known of each checkpoint and each class. Knows no other run and no decisions."""
