"""Protocols: how a sequence is run, what files it leaves, and how they are scored. One row each."""

from __future__ import annotations

from typing import Any

from sightline.errors import BadData
from sightline.evaluate.protocols.anchored import ANCHORS
from sightline.evaluate.protocols.long_term import LONG_TERM
from sightline.evaluate.protocols.one_pass import ONE_PASS
from sightline.evaluate.protocols.pixels import MASKS
from sightline.evaluate.protocols.protocol import Files, Protocol
from sightline.evaluate.protocols.restarting import RESTARTS
from sightline.evaluate.protocols.starts import STARTS

__all__ = ["ANCHORS", "LONG_TERM", "MASKS", "ONE_PASS", "PROTOCOLS", "RESTARTS", "Files", "Protocol", "find_protocol"]

PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    protocol.name: protocol for protocol in (ONE_PASS, *STARTS, RESTARTS, ANCHORS, LONG_TERM, MASKS)
}


def find_protocol(name: str) -> Protocol[Any, Any]:
    """The row of that name.

    Raises:
        BadData: there is none.
    """
    if name not in PROTOCOLS:
        raise BadData(f"there is no protocol called {name!r}; known are {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
