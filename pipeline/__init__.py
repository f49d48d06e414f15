"""From the checkpoints of a fine-tuning and a data set to the long table: one row per image and checkpoint.

`pipeline.stages.build` makes it, `pipeline.table.read` gives it as a DataFrame. Nothing here prints or knows a command line.
"""
