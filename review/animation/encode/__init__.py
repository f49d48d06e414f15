"""Writes drawn frames into one file: GIF and animated PNG here, MP4 and WebP by ffmpeg.

Each format has a packer, which turns the pixels of a frame into bytes where it is drawn, and a
writer, which puts these into the file.
"""
