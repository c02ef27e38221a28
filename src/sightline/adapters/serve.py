"""Sightline's trackers as a TraX program, driven over standard input and output."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import IO, Any

from sightline.adapters.trax import Message, box_from_region, decode, encode, image_from_word, region_from_box
from sightline.errors import BadData
from sightline.tracker import Tracker

__all__ = ["serve"]


def serve(tracker: Tracker[Any], lines: Iterable[str], sink: IO[str]) -> None:
    """Answer until "quit" or the end of the lines.

    Args:
        tracker: any; started anew by each "initialize".
        lines: what the driver sends.
        sink: for the answers, nothing else may be written there.

    Raises:
        SightlineError: a message, an image or a box makes no sense; "quit" was said before.
    """
    hello = {
        "trax.version": "1",
        "trax.name": tracker.spec.name,
        "trax.identifier": "sightline",
        "trax.image": "path;memory;",
        "trax.region": "rectangle;polygon;",
    }
    _say(sink, Message("hello", named=hello))
    try:
        for line in lines:
            message = decode(line)
            if message is not None:
                if message.kind == "quit":
                    return
                _say(sink, _answer(tracker, message))
    except Exception:
        _say(sink, Message("quit"))
        raise


def _answer(tracker: Tracker[Any], message: Message) -> Message:
    if message.kind == "initialize":
        box = box_from_region(message.words[1])
        tracker.init(image_from_word(message.words[0]), box)
        return Message("state", (region_from_box(box),))  # no confidence: VOT's toolkit would count the start as an answer
    if message.kind == "frame":
        estimate = tracker.update(image_from_word(message.words[0]))
        named = {} if math.isnan(estimate.score) else {"confidence": f"{estimate.score:.6f}"}
        return Message("state", (region_from_box(estimate.box),), named)
    raise BadData(f"the driver said {message.kind!r}; expected initialize, frame or quit.")


def _say(sink: IO[str], message: Message) -> None:
    sink.write(encode(message))
    sink.flush()
