"""A session that notes when its network ran; otherwise it is the one inside."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sightline.engines import Array, Role, Session
from sightline.spec import Spec

__all__ = ["Call", "Clocked"]


class Call(NamedTuple):
    """One run of a network: seconds of `time.perf_counter` when it began and ended."""

    role: Role
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Clocked:
    """Notes every call, in the order in which they end.

    Attributes:
        session: what is clocked.
        calls: of all roles so far; for whoever reads it to clear.
    """

    session: Session
    calls: list[Call] = field(default_factory=list)

    @property
    def spec(self) -> Spec:
        """Of the session inside."""
        return self.session.spec

    @property
    def roles(self) -> frozenset[Role]:
        """Of the session inside."""
        return self.session.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Run the session inside, and note when it began and ended."""
        began = time.perf_counter()
        outputs = self.session.run(role, arrays)
        self.calls.append(Call(role, began, time.perf_counter()))
        return outputs

    def seconds(self, role: Role) -> list[float]:
        """How long every call of one role took, in order."""
        return [call.ended - call.began for call in self.calls if call.role == role]
