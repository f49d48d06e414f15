"""``python -m review``: the command line where a module is easier to start than a command, such as
under torchrun."""

from review_embeddings.review.cli.program import main

if __name__ == "__main__":
    main()
