"""The table of precisions: what it says of int8, and of what was not measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("onnx")

from benchmarks import precision


def test_the_table_says_what_was_refused_and_what_was_not_timed() -> None:
    row = precision.Row(
        "merlin",
        "openvino",
        "int8",
        milliseconds=2.5,
        times_faster=2.0,
        overlap=0.96,
        worst=0.8,
        elsewhere=0.011,
        auc=0.76,
        auc_f32=0.764,
        check=0.949,
        exact="nothing more",
    )
    plain = replace(row, precision="f32", milliseconds=None, times_faster=None, check=None, exact=None)
    *_, refused, untimed, _, told = precision.markdown([row, plain], "One thread.").splitlines()
    assert refused == "| merlin | openvino | int8 | 2.50 | 2.00 | 0.960, 0.800 | 1.1% | 0.760 | 0.949 (refused) | nothing more |"
    assert untimed == "| merlin | openvino | f32 | - | - | 0.960, 0.800 | 1.1% | 0.760 | - | - |"
    assert told == "One thread."
