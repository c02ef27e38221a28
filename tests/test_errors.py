from __future__ import annotations

import pytest

from sightline.errors import first_line


@pytest.mark.parametrize(
    "text, line",
    [
        pytest.param("no kernel\n  at x.cpp:1", "no kernel", id="the first of many"),
        pytest.param("\n\n  no kernel \n", "no kernel", id="the first that says something"),
        pytest.param("", "RuntimeError", id="its class where it says nothing"),
        pytest.param(" \n", "RuntimeError", id="its class where it is empty lines"),
    ],
)
def test_of_the_error_of_a_library_one_line_is_told(text: str, line: str) -> None:
    assert first_line(RuntimeError(text)) == line
