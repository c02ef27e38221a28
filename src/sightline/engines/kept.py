"""A session that keeps what its network is given in every frame; otherwise it is the one inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sightline.engines import Array, Role, Session
from sightline.spec import Spec

__all__ = ["Kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """Keeps the inputs of every call, in order, but for those of `init`.

    Attributes:
        session: what runs.
        given: the arrays of each call, by name; not copied.
    """

    session: Session
    given: list[Mapping[str, Array]] = field(default_factory=list)

    @property
    def spec(self) -> Spec:
        """Of the session inside."""
        return self.session.spec

    @property
    def roles(self) -> frozenset[Role]:
        """Of the session inside."""
        return self.session.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Run the session inside, and keep what it is given, unless that is a template to read."""
        if role != "init":
            self.given.append(dict(arrays))
        return self.session.run(role, arrays)
