"""The first box, drawn with the mouse."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import cv2

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.frame import Frame

__all__ = ["check_window", "select_box"]

LONGEST = 1280  # pixels of the window; larger frames are shown smaller


def check_window() -> None:
    """Make sure that a window can be opened, before anything else is done.

    Raises:
        SightlineError: this OpenCV has no windows, or there is no display.
    """
    if re.search(r"GUI:\s*NONE", cv2.getBuildInformation()):
        raise SightlineError(
            "--select needs a window, and the OpenCV that is installed has none: give --box X,Y,W,H, "
            "or run pip uninstall opencv-python-headless and then pip install opencv-python."
        )
    # asked first, because Qt ends the whole process where it finds no display
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise SightlineError("--select needs a display, and there is none ($DISPLAY is not set): give --box X,Y,W,H.")


def select_box(frame: Frame) -> tuple[float, float, float, float]:
    """Show a frame until a box is drawn in it.

    Returns:
        x, y, w, h in pixels of the frame.

    Raises:
        SightlineError: the window was closed without a box.
    """
    scale = min(1.0, LONGEST / max(frame.size))
    picture = cv2.resize(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    title = "Draw a box around the object, then press Enter"
    x, y, w, h = cv2.selectROI(title, picture, showCrosshair=False)
    cv2.destroyWindow(title)
    if w == 0 or h == 0:
        raise SightlineError("no box was drawn: drag the mouse over the object and press Enter, or give --box X,Y,W,H.")
    return x / scale, y / scale, w / scale, h / scale
