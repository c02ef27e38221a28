"""Frames: pictures with a number and a time, from arrays, files, folders, cameras and addresses.

picture   Frame, and the door for plain arrays
moment    a frame's number or a time; what somebody writes for it
reader    read(): any source, decoded ahead in one thread
source    what every kind of source gives to the reader
images    folders, patterns, lists and single pictures, by OpenCV
video     files and addresses, by PyAV
camera    cameras of this machine, by OpenCV
"""

from sightline.frame.moment import Moment, Seconds, moment_from
from sightline.frame.picture import Channels, Frame, Image
from sightline.frame.reader import FrameReader, SourceLike, read

__all__ = ["Channels", "Frame", "FrameReader", "Image", "Moment", "Seconds", "SourceLike", "moment_from", "read"]
