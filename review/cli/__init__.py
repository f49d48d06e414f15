"""The command line: owns options, messages and exit codes, and is the only room that prints. What a
command does is done elsewhere: it knows no array and no file format."""


def main() -> None:
    """The program ``review-embeddings`` with the arguments of this process."""
    from review_embeddings.review.cli.program import main as program

    program()
