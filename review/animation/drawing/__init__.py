"""Owns one frame of the film: artists of a matplotlib figure, made once and moved from frame to
frame. Knows no file.

``frame`` composes the panels ``mappanel``, ``leaderboard``, ``legend`` and ``curves`` on a
``page``; ``points``, ``text`` and ``stamp`` are artists that Agg draws fast. What is shown comes
from `filmdata`, when from `plan`. Import inside functions: matplotlib takes half a second.
"""
