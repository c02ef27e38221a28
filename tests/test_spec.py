from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sightline.errors import BadSpec, UnknownTracker
from sightline.spec import History, Memory, Reported, Spec, spec_to_json
from sightline.zoo import SPECS, find, read_spec

EXAMPLE = replace(SPECS["kestrel-nano"], lost_below=0.25, reported=(Reported(dataset="set", metric="auc", value=0.5, source="table 1"),))


@pytest.mark.parametrize(
    "spec",
    [*SPECS.values(), EXAMPLE, replace(EXAMPLE, name="with-history", history=History(length=7, every=2))],
    ids=lambda spec: spec.name,
)
def test_a_spec_survives_json(spec: Spec) -> None:
    assert read_spec(spec_to_json(spec)) == spec


@pytest.mark.parametrize(
    "change,says",
    [
        pytest.param({"surprise": 1}, "unknown keys ['surprise']", id="unknown key"),
        pytest.param({"family": "unheard-of"}, "'unheard-of'", id="unknown family"),
        pytest.param({"version": 99}, "version 99", id="another version"),
        pytest.param({"max_batch": "many"}, "spec.max_batch is 'many'", id="wrong type"),
        pytest.param({"max_batch": True}, "spec.max_batch is True", id="a truth value is no number"),
        pytest.param({"clip": "sideways"}, "spec.clip is 'sideways'; expected one of", id="unknown rule"),
        pytest.param({"arch": {"depth": 3}}, "arch: unknown keys [], missing keys", id="incomplete arch"),
        pytest.param({"search": {"factor": 4.0}}, "spec.search: unknown keys [], missing keys", id="incomplete crop"),
        pytest.param({"feed": [3]}, "spec.feed[0] is 3", id="wrong item of a list"),
        pytest.param({"lost_below": "low"}, "spec.lost_below is 'low'", id="wrong optional"),
        pytest.param({"memory": {"every": [200.5]}}, "spec.memory.every[0] is 200.5", id="half a frame"),
        pytest.param({"search": 5}, "spec.search is 5", id="not an object"),
    ],
)
def test_a_spec_that_is_not_understood_is_refused_by_the_name_of_its_key(change: dict[str, object], says: str) -> None:
    data = json.loads(spec_to_json(EXAMPLE)) | change
    with pytest.raises(BadSpec) as refused:
        read_spec(json.dumps(data))
    assert says in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[]", "7"])
def test_a_spec_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(BadSpec, match="not"):
        read_spec(text)


def test_an_unknown_name_is_answered_with_close_ones() -> None:
    with pytest.raises(UnknownTracker, match="perhaps you meant kestrel-nano"):
        find("kestrel-nan0")


def test_a_file_from_before_a_field_was_added_is_read_with_its_default() -> None:
    data = json.loads(spec_to_json(EXAMPLE))
    del data["max_batch"], data["search"]["border"], data["memory"], data["template"]["scales"], data["history"]
    read = read_spec(json.dumps(data))
    assert (read.max_batch, read.search.border, read.memory, read.template.scales, read.history) == (32, "zero", Memory(), (1.0,), None)
