"""What a cleaned data set can be written as, and how a list can be ordered."""

DISK, FOLDER, PARQUET = "disk", "folder", "parquet"

FORMS = (DISK, FOLDER, PARQUET)
"""A ``save_to_disk`` data set, a folder of images by class, one Parquet file a split."""

GAIN = "gain"

ORDERS = (GAIN,)
"""Orders of a list beside its own."""
