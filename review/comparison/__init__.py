"""Owns the comparison of runs on the images that all of them have: which image is which, what each
run says of it, counts with their intervals. Knows no page and no command line; `difference` is
about data sets."""
