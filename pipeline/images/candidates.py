"""Tells which files are images, or look like them: by their endings, else by their first bytes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from review_embeddings.pipeline.images.walk import Entry, local_path

_NEWER_ENDINGS = (
    ".heic .heif .hif .avif .avifs .jxl .jpegxl .mpo .qoi .jfif .jpe .3fr .ari .arw .bay .cap .cr2 "
    ".cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mdc .mef .mos .mrw .nef .nrw .orf .pef "
    ".ptx .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f"
)

NEWER_ENDINGS = frozenset(_NEWER_ENDINGS.split())
"""Kinds of images that Pillow may not know: HEIC, JPEG XL and what cameras write."""

_RARELY_IMAGES = ".pdf .ps .eps .h5 .hdf .mpg .mpeg .grib .bufr .wmf .emf .iim .im .msp .palm"

RARELY_IMAGES = frozenset(_RARELY_IMAGES.split())
"""Endings that Pillow knows and that seldom are images of a data set: no class is named by them."""

_OTHER_ENDINGS = (
    ".txt .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .md .rst .html .htm .css "
    ".js .py .ipynb .sh .parquet .arrow .feather .npy .npz .mat .pkl .pt .pth .bin .safetensors "
    ".onnx .zip .tar .gz .tgz .bz2 .xz .7z .rar .mp4 .avi .mov .mkv .webm .mp3 .wav .flac .svg "
    ".doc .docx .xls .xlsx .ppt .pptx .log .lock .db .sqlite .tfrecord .lmdb .mdb .idx .pyc "
    ".names .data .cache"
)

OTHER_ENDINGS = frozenset(_OTHER_ENDINGS.split())
"""Endings of files that are no images and are not opened to see."""

FIRST_BYTES = re.compile(
    rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|II\x2b\0|MM\0\x2b|RIFF....WEBP|"
    rb"....ftyp(avif|avis|heic|heix|hevc|hevx|mif1|msf1|crx )|\xff\x0a|\0\0\0\x0cJXL |"
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51|8BPS|DDS |qoif|P[1-7][\s#]|BM....\0\0\0\0|"
    rb"FUJIFILM|IIRO|IIU\0",
    re.DOTALL,
)
"""How the files of image formats begin."""

APPLE_DOUBLE = "._"
"""How names of files begin in which macOS keeps what other file systems cannot."""


@cache
def image_endings() -> frozenset[str]:
    """All endings of images, in lower case."""
    from PIL import Image

    Image.init()
    return frozenset(Image.registered_extensions()) | NEWER_ENDINGS


def is_candidate(entry: Entry) -> bool:
    """Whether a file is an image by its ending, or has no known one and begins like an image."""
    if entry.ending in image_endings():
        return True
    return entry.ending not in OTHER_ENDINGS and not entry.problem and _begins_like_one(entry)


def names_classes(entry: Entry) -> bool:
    """Whether the folders of a candidate say something about the data set."""
    name = entry.name.rsplit("/", 1)[-1]
    return entry.ending not in RARELY_IMAGES and not name.startswith(APPLE_DOUBLE)


def is_hidden(entry: Entry) -> bool:
    """Whether it lies in a folder that file managers do not show."""
    return any(part.startswith(".") for part in entry.parts)


def _begins_like_one(entry: Entry) -> bool:
    try:
        if "://" in entry.file:
            import fsspec

            with fsspec.open(entry.file, "rb") as remote:
                begin = remote.read(32)
        else:
            with Path(local_path(entry.file)).open("rb") as file:
                begin = file.read(32)
    except OSError:
        return False
    return FIRST_BYTES.match(begin) is not None
