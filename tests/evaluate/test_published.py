from __future__ import annotations

from collections import Counter

from sightline.evaluate.layouts import LAYOUTS
from sightline.evaluate.published import METRICS, NAMES, Published, beside_the_zoo, published, published_on
from sightline.zoo import SPECS


def test_every_figure_has_a_source_and_a_sensible_value() -> None:
    for figure in beside_the_zoo():
        assert figure.source, figure
        assert figure.tracker, figure
        assert figure.metric in {*METRICS, "eao", "f-score", "op50", "op75"}, figure
        assert 0 < figure.value < (1000 if figure.metric == "fps" else 1), figure
        assert (figure.dataset == "speed") == (figure.metric == "fps"), figure


def test_no_fact_has_two_places() -> None:
    facts = Counter((figure.tracker.lower(), figure.dataset, figure.metric, figure.source) for figure in published())
    assert [fact for fact, number in facts.items() if number > 1] == []
    of_specs = {(spec.name, figure.dataset, figure.metric, figure.value) for spec in SPECS.values() for figure in spec.reported}
    repeated = [f for f in beside_the_zoo() if (f.tracker.lower(), f.dataset, f.metric, f.value) in of_specs]
    assert repeated == [], "a spec of the zoo says it already: take it out of published.json"


def test_figures_of_the_zoo_are_among_them_under_their_names() -> None:
    assert Published("fear-xs", "lasot-test", "auc", 0.535, "the paper") in published()
    assert len(published()) == len(beside_the_zoo()) + sum(len(spec.reported) for spec in SPECS.values())


def test_figures_of_a_data_set_are_found_by_the_name_that_eval_takes() -> None:
    assert set(NAMES) <= set(LAYOUTS)
    assert {name for names in NAMES.values() for name in names} >= {"lasot-test", "got10k-test", "uav123", "otb2015"}
    on_lasot = published_on("lasot")
    aucs = [figure.value for figure in on_lasot if figure.metric == "auc"]
    assert aucs == sorted(aucs, reverse=True)
    assert len(aucs) > 100
    assert published_on("folder") == ()


def test_published_speeds_come_with_the_tracker_that_they_are_of() -> None:
    [torch, onnx] = sorted(published_on("folder", {"hit-base"}), key=lambda figure: figure.value)
    assert (torch.value, onnx.value, torch.metric) == (33, 42, "fps")
    assert "i9-9900K" in torch.source


def test_the_authors_own_table_of_mask_rates_is_whole() -> None:
    rates = [figure for figure in beside_the_zoo() if figure.tracker.startswith("ViT-B, MTR, mask rate")]
    assert len(rates) == 8 * 4 - 1  # one value is not told
    assert Published("ViT-B, MTR, mask rate 0.70", "lasot-test", "auc", 0.703, "the author's notes, MTR on ViT-B by mask rate") in rates
