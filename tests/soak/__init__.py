"""Long trials that count what must be zero: decisions lost, results that a kill changed, commands
that ended with a fault of the program.

    python -m tests.soak                         # all that is not done yet, until it is
    python -m tests.soak --seconds 600 kills     # goes on where the last sitting stopped
    python -m tests.soak --part 0/4 kills        # a quarter of it, beside 1/4, 2/4 and 3/4

Each sitting adds to the state file; the figures are those of all its sittings.
"""
