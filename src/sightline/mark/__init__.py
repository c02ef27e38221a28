"""What somebody has marked, and the box that a tracker begins with.

guess    box_from_mask, box_from_point: a box where none was given
listed   Mark: one target, where and from when until when; read_marks: many of them from a file; name_from: what one is called
"""

from sightline.mark.guess import box_from_mask, box_from_point
from sightline.mark.listed import Mark, Name, name_from, read_marks

__all__ = ["Mark", "Name", "box_from_mask", "box_from_point", "name_from", "read_marks"]
