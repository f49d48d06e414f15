"""The command line: options, messages and exit codes; the only place that prints."""
