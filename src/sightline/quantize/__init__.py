"""Networks in int8: calibrated on real crops, and kept only where they say nearly the same boxes.

    footage    sequences with known boxes: a folder, a training folder, rendered scenes
    crops      what the network is given when it tracks through them
    graph      which of its operations stay in f32, in levels from the fastest form to the most careful
    openvino, onnx   the recipes of the two engines
    agreement  overlap of the boxes with those of f32, in the same crops
    forms      levels and recipes tried in turn, until the boxes are kept
    make       all of it: a weights file in, a file in int8 out, or a refusal with the number

The graph that reads templates runs once per target and stays in f32.
"""

from sightline.quantize.make import BUDGET, RECIPES, Quantised, quantize

__all__ = ["BUDGET", "RECIPES", "Quantised", "quantize"]
