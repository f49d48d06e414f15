"""A second name of `review_embeddings.review`, found only where nobody else holds this one."""

from review_embeddings import alias

if __name__ == "__main__":  # python -m review
    from review_embeddings.review.cli.program import main

    main()
else:
    alias(__name__)
