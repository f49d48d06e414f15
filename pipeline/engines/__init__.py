"""Owns where long work is done: in this process, or in parts on other processes and machines.

Knows no stage by name and no table: work comes as a value that says what is computed from what.
"""
