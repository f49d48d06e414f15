"""Owns what leaves and enters as files: lists, decisions, cleaned data sets. Knows no page."""
