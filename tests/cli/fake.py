"""`python -m tests.cli.fake ARGUMENTS`: the command line with the tracker of the tests, for what needs a process of its own."""

import sys
from typing import Any

import sightline.tracker
from sightline.cli import main
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.fakes import FakeSession, brightest


def opened(*_: object, **__: object) -> Tracker[Any]:
    """The fake tracker, whatever is asked for."""
    return Tracker(NetworkMethod(FakeSession(step=brightest)))


if __name__ == "__main__":
    sightline.tracker.opened = opened
    sys.exit(main())
