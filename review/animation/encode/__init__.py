"""Owns how drawn frames become one file: GIF and animated PNG here, MP4 and WebP by FFmpeg. Knows
not what is on them.

Each format has a packer, which turns the pixels of a frame into bytes where it is drawn, and a
writer, which puts these into the file.
"""
