"""Kinds of film by the endings of their files."""

ENDINGS = (".gif", ".mp4", ".webp", ".png")
"""GIF, H.264 in MP4, WebP, animated PNG."""

BY_FFMPEG = frozenset({".mp4", ".webp"})
"""Those that FFmpeg writes."""
