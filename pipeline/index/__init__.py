"""Owns the embeddings in a vector database. Knows no page and no command line."""
