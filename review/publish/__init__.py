"""Owns how a cleaned data set goes to the Hugging Face Hub: its files, its card, what they say, and
the requests. Knows no decision and not the command line."""
