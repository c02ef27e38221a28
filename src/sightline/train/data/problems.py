"""What is wrong with the data, by name: skipped and counted, or a reason to stop. Nothing is left out silently."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from sightline.errors import BadData
from sightline.weights import write_whole

__all__ = ["OnBad", "Problems"]

OnBad: TypeAlias = Literal["skip", "stop"]
REPORT = "data-report.json"


@dataclass(slots=True)
class Problems:
    """Collects them.

    Attributes:
        on_bad: "stop": what cannot be read is an error; "skip": it is left out.
        bad: what could not be used, and why, by name.
        counts: frames and tracks that are not learnt from, by reason; data sets have them for good reasons.
        notes: what else should be known of the data.
    """

    on_bad: OnBad = "skip"
    bad: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, why: str) -> None:
        """Something that should be readable and is not.

        Raises:
            BadData: with "stop".
        """
        if self.on_bad == "stop":
            raise BadData(f"{name}: {why} (--on-bad skip leaves it out and goes on)")
        self.bad.setdefault(name, why)

    def count(self, reason: str, num: int) -> None:
        """Frames or tracks of which nothing is wrong, and which are not learnt from."""
        if num:
            self.counts[reason] += num

    def lines(self, most: int = 5) -> list[str]:
        """For people: what was left out, the first few by name."""
        counted = [f"{num} {reason}" for reason, num in sorted(self.counts.items())]
        named = [f"skipped {name}: {why}" for name, why in list(self.bad.items())[:most]]
        rest = len(self.bad) - len(named)
        return [*self.notes, *counted, *named, *([f"skipped {rest} more, all in {REPORT}"] if rest > 0 else [])]

    def recall(self, folder: Path) -> None:
        """Add what could not be used before a run went on, by the `data-report.json` in its folder; nothing where that cannot be read."""
        try:
            before = json.loads((folder / REPORT).read_text(encoding="utf-8"))["skipped"]
            self.bad = {str(name): str(why) for name, why in before.items()} | self.bad
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return

    def write(self, folder: Path) -> Path:
        """Write everything to `data-report.json` in a folder."""
        path = folder / REPORT
        write_whole({path: json.dumps({"notes": self.notes, "skipped": self.bad, "not learnt from": dict(self.counts)}, indent=1).encode()})
        return path
