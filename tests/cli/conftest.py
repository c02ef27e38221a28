"""A command line with a tracker that follows the bright square and needs no weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.cli.clips import make_video
from tests.fakes import FakeSession, brightest


@pytest.fixture
def session() -> FakeSession:
    """What the fake tracker of `fake_tracker` runs; a test may change its `step`."""
    return FakeSession(step=brightest)


@pytest.fixture
def fake_tracker(monkeypatch: pytest.MonkeyPatch, session: FakeSession) -> Callable[..., Any]:
    """Commands load the fake tracker, whatever is asked for."""

    def opened(*_: object, **__: object) -> Tracker[Any]:
        return Tracker(NetworkMethod(session))

    monkeypatch.setattr("sightline.tracker.opened", opened)
    return opened


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of 12 frames."""
    return make_video(tmp_path / "clip.mp4")
