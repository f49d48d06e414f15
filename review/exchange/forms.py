"""What a cleaned data set can be written as."""

DISK, FOLDER, PARQUET = "disk", "folder", "parquet"

FORMS = (DISK, FOLDER, PARQUET)
"""A ``save_to_disk`` data set, a folder of images by class, one Parquet file a split."""
