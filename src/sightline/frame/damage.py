"""Damaged image files, told from their structure: decoders fill in what is missing, and print instead of failing."""

from __future__ import annotations

import re
import zlib

__all__ = ["damage"]

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
END_OF_SCAN = re.compile(rb"\xff(?![\x00\xff\xd0-\xd7])")  # in coded data 0xff is followed by 0 (a stuffed byte) or a restart marker


def damage(data: bytes) -> str | None:
    """What is wrong with the bytes of an image file; None where nothing is seen.

    Every byte of a PNG file is covered by its checksums. Of a JPEG file only the structure can be checked: damage within the coded
    data that leaves it intact is not seen. Other formats are left to their decoders.
    """
    if not data:
        return "the file is empty"
    if data.startswith(PNG):
        return _png_damage(data)
    if data.startswith(JPEG):
        return _jpeg_damage(data)
    return None


def _png_damage(data: bytes) -> str | None:
    """Walk the chunks: length, kind, content, checksum (PNG specification, section 5)."""
    at, view = len(PNG), memoryview(data)
    while at + 12 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            break
        is_critical = not kind[0] & 0x20
        if is_critical and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return "the PNG file is damaged (a checksum is wrong)"
        if kind == b"IEND":
            return None
        at = end
    return "the PNG file is cut off"


def _jpeg_damage(data: bytes) -> str | None:
    """Walk the segments to the end marker (ITU-T T.81, annex B)."""
    at = len(JPEG)
    while at + 1 < len(data):
        if data[at] != 0xFF:
            return "the JPEG file is damaged (no marker where one is due)"
        marker = data[at + 1]
        if marker == 0xD9:
            return None
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        at += 2
        if marker != 0x01 and not 0xD0 <= marker <= 0xD7:
            at += int.from_bytes(data[at : at + 2], "big")
        if marker == 0xDA:
            end = END_OF_SCAN.search(data, at)
            if end is None:
                break
            at = end.start()
    return "the JPEG file is cut off"
