"""What a cleaned data set can be written as."""

FORMS = ("disk", "folder", "parquet")
"""A ``save_to_disk`` data set, a folder of images by class, one Parquet file a split."""
