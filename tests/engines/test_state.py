from __future__ import annotations

from sightline.engines.state import apart


def test_state_of_the_target_itself_loses_its_mark_and_leaves_what_is_kept_of_the_template() -> None:
    template, own = apart({"keys": 1, "next.count": 2, "nextdoor": 3})
    assert template == {"keys": 1, "nextdoor": 3}
    assert own == {"count": 2}
