"""The command line: owns options, messages and exit codes, and is the only room that prints. What a
command does is done elsewhere: it knows no array and no file format."""
