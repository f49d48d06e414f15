"""``python -m review_embeddings``: the command line, where a module is easier to start."""

from review_embeddings.review.cli.program import main

if __name__ == "__main__":
    main()
