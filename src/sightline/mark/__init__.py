"""What somebody has marked, and the box that a tracker begins with.

guess    box_from_mask, box_from_point: a box where none was given
listed   Mark: one target, where and from when until when; most_at_once: how many of them;
         read_marks: many of them from a file; read_lists: those of many videos; name_from: what one is called
"""

from sightline.mark.guess import box_from_mask, box_from_point
from sightline.mark.listed import Listed, Mark, Name, most_at_once, name_from, read_lists, read_marks

__all__ = ["Listed", "Mark", "Name", "box_from_mask", "box_from_point", "most_at_once", "name_from", "read_lists", "read_marks"]
