"""Fixtures golden/components: functions without weights. One function here for each, named as the fixture."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.bend import cell_sides, saliency
from sightline.box import Box, cxcywh_from_xyxy, iou, xywh_from_xyxy, xyxy_from_cxcywh, xyxy_from_xywh
from sightline.methods import fourier
from sightline.models.layers import boxes as in_torch
from sightline.models.layers.decode import hann1d, hann2d, normalize
from sightline.models.layers.eliminate import centre_mask, eliminate, keep_rate, query_weights, relevance, target_mask
from sightline.models.layers.peaks import gaussian_labels
from sightline.models.layers.pool import precise_pool
from sightline.models.layers.positions import sinusoid_table
from sightline.models.layers.swin import moved_mask, window_index
from sightline.models.layers.untied import pair_index
from sightline.placement import clip_to_margin, context_square, patch_square, region_around, whole_square
from sightline.region import BentRegion, Region
from sightline.spec import Crop, Zoom
from sightline.train import augment, losses, overlap, pairs, responses, tokens
from sightline.train.targets import heatmap_target

Array = NDArray[Any]
Arguments: TypeAlias = Mapping[str, Any]
Inputs: TypeAlias = Mapping[str, Array]
Outputs: TypeAlias = dict[str, Array]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Inputs) -> Outputs:  # noqa: ARG001  # the signature of a runner
    """The outputs of one fixture, whole. The longest name that begins the fixture's decides which function it is about."""
    name = max((name for name in COMPONENTS if meta["config"].startswith(name)), key=len)
    return COMPONENTS[name](meta, inputs)


def numbers(names: Mapping[str, Any], pattern: str) -> dict[str, tuple[int, ...]]:
    """The names that match a pattern, with the numbers in its groups."""
    found = {name: re.fullmatch(pattern, name) for name in names}
    return {name: tuple(int(group) for group in match.groups()) for name, match in found.items() if match}


def boxes(_meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    given = inputs["boxes"].astype(np.float32)
    a_xyxy, b_xyxy = inputs["pairs_a_xyxy"].astype(np.float32), inputs["pairs_b_xyxy"].astype(np.float32)
    a, b = xywh_from_xyxy(a_xyxy), xywh_from_xyxy(b_xyxy)
    overlap = iou(a, b)
    giou, _ = losses.giou(torch.from_numpy(a_xyxy), torch.from_numpy(b_xyxy))
    return {
        "cxcywh_to_xyxy": xyxy_from_cxcywh(given),
        "xywh_to_xyxy": xyxy_from_xywh(given),
        "xyxy_to_xywh": xywh_from_xyxy(given),
        "xyxy_to_cxcywh": cxcywh_from_xyxy(given),
        "iou": overlap,
        "union": (a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1)) / (1 + overlap),  # of our overlap, which has no other place to show it
        "giou": giou.numpy(),
        "giou_loss": (1 - giou).mean().numpy(),
    }


def box_to_crop(_meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    normalised = [
        pairs.published_box(Box(*box), Box(*around), size=int(size), scale=float(scale))
        for box, around, scale, size in zip(
            inputs["boxes"], inputs["crop_boxes"], inputs["resize_factors"], inputs["crop_sizes"], strict=True
        )
    ]
    return {"normalised": np.array(normalised), "pixels": np.array(normalised) * inputs["crop_sizes"][:, np.newaxis]}


def candidate_elimination(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    num_template, num_search = meta["arguments"]["template_tokens"], meta["arguments"]["search_tokens"]
    attention = torch.from_numpy(inputs["attention_logits"]).softmax(-1)[:, :, :num_template, num_template:]
    tokens = torch.from_numpy(inputs["tokens"])
    template, search = tokens[:, :num_template], tokens[:, num_template:]
    masked = torch.zeros(1, num_template, dtype=torch.bool)
    masked[:, meta["arguments"]["masked_template_tokens"]] = True
    in_order = torch.arange(num_search).expand(tokens.shape[0], -1)
    outputs: Outputs = {}
    for name in meta["outputs"]:
        match = re.fullmatch(r"tokens_((permuted_)?(all|mask)_([\d.]+))", name)
        if match is None:
            continue
        case, permuted, queries, keep = match.groups()
        mask = masked if queries == "mask" else torch.ones_like(masked)
        places = torch.from_numpy(inputs["permuted_index"]) if permuted else in_order
        left = eliminate(search, places, relevance(attention, query_weights(mask)), float(keep))
        outputs[f"tokens_{case}"] = torch.cat([template, left.tokens], dim=1).numpy()
        outputs[f"keep_{case}"], outputs[f"removed_{case}"] = left.places.numpy(), left.removed.numpy()
    return outputs


def ce_keep_rate(meta: Mapping[str, Any], _inputs: Inputs) -> Outputs:
    base, (first, last) = meta["arguments"]["base_keep_rate"], map(int, meta["arguments"]["epochs"].split(".."))
    return {
        name: np.array([keep_rate(epoch, base=base, start=start, warm=warm) for epoch in range(first, last + 1)])
        for name, (start, warm) in numbers(meta["outputs"], r"start(\d+)_warm(\d+)").items()
    }


def ce_mask(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    given = torch.from_numpy(inputs["template_boxes_xywh_normalised"]).float()
    stride = meta["arguments"]["stride"]
    outputs: Outputs = {name: target_mask(given, size).numpy() for name, (size,) in numbers(meta["outputs"], r"gt_box_(\d+)").items()}
    for kind, single in (("ctr_point", True), ("ctr_rec", False)):
        for name, (size,) in numbers(meta["outputs"], rf"{kind}_(\d+)").items():
            outputs[name] = centre_mask(size // stride, single=single).expand(given.shape[0], -1).numpy()
    return outputs


def crop_sample_target(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    frame = inputs["frame"]
    outputs: Outputs = {}
    regions = []
    for i, case in enumerate(meta["arguments"]["cases"]):
        crop = Crop(factor=case["factor"], size=case["output_size"])
        region = region_around(Box(*case["box_xywh"]), crop, (frame.shape[1], frame.shape[0]))
        pixels = region.take(frame)
        outputs |= {f"crop_{i:02}": pixels, f"rowsum_{i:02}": pixels.sum(axis=1), f"colsum_{i:02}": pixels.sum(axis=0)}
        outputs[f"mask_{i:02}"] = region.padding()
        regions.append(region)
    outputs["resize_factor"] = np.array([region.size / region.width for region in regions])
    outputs["crop_x1_y1_side"] = np.array([(region.x, region.y, region.width) for region in regions])
    return outputs


def dcf_fourier(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    given = meta["arguments"]
    first, second = fourier.transform(inputs["a"]), fourier.transform(inputs["b"])
    moved, shape, sigma = fourier.shifted(first, given["shift"]), inputs["a"].shape[-2:], given["label_fourier_sigma"]
    [(fine, (height, width))] = numbers(meta["outputs"], r"sample_fs_(\d+)x(\d+)").items()
    samples = fourier.evaluate(first, (height, width))
    best = samples.reshape(*samples.shape[:2], -1).argmax(axis=2)
    down, across = fourier.interpolation(tuple(given["interp"]["size"]))
    label = given["label_spatial"]
    crop, target = tuple(given["regularisation"]["image_size"]), tuple(given["regularisation"]["target_size"])
    outputs = {
        "cfft2": in_parts(first),
        "cifft2": fourier.evaluate(first, shape) / (shape[0] * shape[1]),
        "sum_fs": in_parts(fourier.add([first, second])),
        "shift_fs": in_parts(moved),
        "inner_product": np.array(fourier.inner(first, moved)),
        fine: samples,
        "max": samples.max(axis=(2, 3)),
        "argmax": np.stack(np.unravel_index(best, (height, width)), axis=-1),
        "label_fourier_{}x{}".format(*shape): fourier.gaussian_series(shape, sigma)[None, None],
        f"label_spatial_{label['size']}": gaussian_labels(torch.tensor([label["center"]]), label["sigma"], label["size"]).numpy()[None],
        "interp_y": in_parts(down)[None, None],
        "interp_x": in_parts(across)[None, None],
        "reg_deep": fourier.regularisation(crop, target, least=1e-3, edge=5e-2, threshold=0.1)[None, None],
        "reg_shallow": fourier.regularisation(crop, target, least=1e-4, edge=1e-2, threshold=0.05)[None, None],
    }
    outputs |= {name: fourier.hann(side) for name, (side,) in numbers(meta["outputs"], r"hann_(\d+)").items()}
    outputs |= {name: hann1d(side, centered=False).numpy() for name, (side,) in numbers(meta["outputs"], r"hann_(\d+)_uncentred").items()}
    for name, sides in numbers(meta["outputs"], r"hann2d_(\d+)x(\d+)").items():
        outputs[name] = np.outer(*map(fourier.hann, sides))[None, None]
    for name, (side, narrow) in numbers(meta["outputs"], r"hann2d_clipped_(\d+)_(\d+)").items():
        line = np.roll(np.pad(fourier.hann(narrow), (side - narrow) // 2, mode="edge"), side // 2)
        outputs[name] = np.outer(line, line)[None, None]
    return outputs


def in_parts(series: Array) -> Array:
    """Complex numbers as the fixtures store them: real and imaginary part in a last axis."""
    return np.stack([series.real, series.imag], axis=-1)


def hann(meta: Mapping[str, Any], _inputs: Inputs) -> Outputs:
    kinds = (("centered", True), ("uncentered", False))
    outputs: Outputs = {}
    for kind, centered in kinds:
        for name, (side,) in numbers(meta["outputs"], rf"hann1d_(\d+)_{kind}").items():
            outputs[name] = hann1d(side, centered=centered).numpy()
        for name, (height, width) in numbers(meta["outputs"], rf"hann2d_(\d+)x(\d+)_{kind}").items():
            down, across = (hann1d(side, centered=centered).reshape(shape) for side, shape in ((height, (1, 1, -1, 1)), (width, (1, -1))))
            outputs[name] = (hann2d(height, centered=centered) if height == width else down * across).numpy()
    return outputs


def map_back_and_clip(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    arguments = meta["arguments"]
    size = (arguments["width"], arguments["height"])
    mapped = []
    for predicted, state, factor in zip(inputs["pred_cxcywh"], inputs["state_xywh"], inputs["resize_factor"], strict=True):
        side = arguments["search_size"] / factor
        cx, cy = Box(*state).centre
        region = Region(
            0, 0, 1, 1, arguments["search_size"], Box(cx - side / 2, cy - side / 2, side, side), size
        )  # only `frame` maps boxes
        mapped.append(region.to_frame(predicted / side))
    clipped = {
        name: np.array([clip_to_margin(Box(*box), size, margin) for box in inputs["clip_xywh"]])
        for name, (margin,) in numbers(meta["outputs"], r"clip_margin(\d+)").items()
    }
    return {"mapped_xywh": np.array(mapped), **clipped}


def hcat_crop(_meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    return whole_squares(inputs, lambda mean: mean, pixels="float32", padded="after")


def heatmap(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    given = torch.from_numpy(inputs["boxes_xywh_normalised"]).float()
    stride = meta["arguments"]["stride"]
    return {name: heatmap_target(given, size // stride).numpy() for name, (size,) in numbers(meta["outputs"], r"heatmap_(\d+)").items()}


def losses_ostrack(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    weight = meta["arguments"]["weights"]
    score = torch.from_numpy(inputs["score"]).sigmoid().clamp(1e-4, 1 - 1e-4).requires_grad_()
    predicted = torch.from_numpy(inputs["pred_boxes_cxcywh"]).float().requires_grad_()
    given = torch.from_numpy(inputs["target_boxes_xywh_normalised"]).float()
    target = heatmap_target(given, score.shape[-1])
    alpha, beta = meta["arguments"]["focal_alpha"], meta["arguments"]["focal_beta"]
    focal = losses.focal_loss(score, target, alpha=alpha, beta=beta)
    corners, wanted = in_torch.xyxy_from_cxcywh(predicted), in_torch.xyxy_from_xywh(given)
    giou, l1 = losses.giou_loss(corners, wanted), losses.l1_loss(corners, wanted)
    total = weight["giou"] * giou + weight["l1"] * l1 + weight["focal"] * focal
    (focal_gradient,) = torch.autograd.grad(focal, [score], retain_graph=True)
    box_gradient, score_gradient = torch.autograd.grad(total, [predicted, score])
    _, overlap = losses.giou(corners, wanted.clamp(0, 1))
    outputs: dict[str, Tensor] = {
        "focal": focal,
        "focal_gradient": focal_gradient,
        "focal_without_positive": losses.focal_loss(score, target * 0.99, alpha=alpha, beta=beta),
        "giou": giou,
        "l1": l1,
        "location": focal,
        "total": total,
        "iou_mean": overlap.mean(),
        "total_gradient_boxes": box_gradient,
        "total_gradient_score": score_gradient,
    }
    return {name: value.detach().numpy() for name, value in outputs.items()}


def prroi_pool(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    for name in numbers(meta["outputs"], r"pool_(\d+)x(\d+)_scale(\d+)"):
        height, width, scale = meta["arguments"][name]
        maps = torch.from_numpy(inputs["feature"]).requires_grad_()
        rois = torch.from_numpy(inputs["rois"])
        corners = rois[:, 1:].float().requires_grad_()
        pooled = precise_pool(maps[rois[:, 0].long()], (corners * scale).unsqueeze(1), (height, width)).squeeze(1)
        of_maps, of_boxes = torch.autograd.grad((pooled * torch.from_numpy(inputs[f"weight_{name}"])).sum(), [maps, corners])
        outputs |= {name: pooled.detach().numpy(), f"{name}_gradient_boxes": of_boxes.numpy(), f"{name}_gradient_feature": of_maps.numpy()}
    return outputs


def train_pair(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    for i, case in enumerate(meta["arguments"]["cases"]):
        for role in ("template", "search"):
            of_role = {name.replace(role, "role"): value for name, value in case.items()}
            outputs |= {
                f"{i}_{name.replace('role', role)}": value for name, value in training_crop(of_role, inputs[f"{role}_frame"]).items()
            }
    return outputs


def training_crop(case: Mapping[str, Any], frame: Array) -> Outputs:
    """One picture of a pair, with all draws given."""
    box = Box(*case["role_box"])
    if case["joint_gray"]:
        frame = augment.grey(frame)
    if case["joint_flip"]:
        # as published: the last column counts as W - 1, its far side as W - 2
        frame, box = frame[:, ::-1], box._replace(x=frame.shape[1] - 1 - box.x - box.w)
    jitter = case.get("center_jitter_role", 0), case.get("scale_jitter_role", 0)  # the template has none
    around = pairs.jittered(box, *jitter, case["role_normal_draw"], case["role_uniform_draw"])
    crop = Crop(factor=case["role_factor"], size=case["role_size"])
    region = region_around(around, crop, (frame.shape[1], frame.shape[0]))
    pixels, mask = region.take(np.ascontiguousarray(frame)), region.padding()
    unit = pairs.published_box(box, around, size=region.size, scale=region.size / region.width)
    pixels = np.clip(pixels * np.float32(case["role_brightness"]), 0, 255)
    if case["role_flip"]:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
        unit[0] = 1 - unit[0] - unit[2]
    image = normalize(torch.from_numpy(np.ascontiguousarray(pixels))[None])[0].numpy()
    return {
        "role_image": image,
        "role_image_rowmean": image.mean(axis=2),
        "role_box": unit,
        "role_mask": mask,
        "jittered_role": np.array(around),
    }


def pytracking_crop(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    frame = inputs["frame"]
    size, change = (frame.shape[1], frame.shape[0]), meta["arguments"]["max_scale_change"]
    ways: dict[str, Literal["anywhere", "inside", "mostly"]] = {"replicate": "anywhere", "inside": "inside", "inside_major": "mostly"}
    outputs: Outputs = {}
    for name, stays in ways.items():
        for division, halves in (("true", True), ("int", False)):
            regions = [
                replace(patch_square(row, column, side, int(crop_size), size, stays=stays, change=change, halves=halves), pixels="float32")
                for row, column, side, crop_size in inputs["rows"]
            ]
            patches: Any = [region.take(frame).transpose(2, 0, 1) for region in regions]  # of two sizes, cut alike by check.py
            corners = np.array([xyxy_from_xywh(np.array(region.frame)) for region in regions])
            outputs |= {
                f"{name}_{division}_patch": patches,
                f"{name}_{division}_coordinates": corners[:, [1, 0, 3, 2]],
                f"{name}_{division}_valid": np.full(len(regions), fill_value=True),
            }
    return outputs


def siamfc_crop(_meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    frame = inputs["frame"]
    border = frame.mean(axis=(0, 1))
    patches: Any = []  # crops of two sizes, cut alike by check.py
    corners = []
    crops: Any = inputs["crops"].astype(np.float32)  # as published: centre and side are held in float32
    for row, column, side, size in crops:
        region = context_square(column, row, side, int(size), (frame.shape[1], frame.shape[0]), tuple(border))
        patches.append(region.take(frame))
        corners.append((region.y, region.x, region.y + region.width, region.x + region.width))
    means = np.array([patch.mean(axis=(0, 1)) for patch in patches])
    return {"patches": patches, "mean": means, "corners": np.array(corners), "border_value": border}


def stark_crop(_meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    frame = inputs["frame"]
    patches: Any = []  # crops of two sizes, cut alike by check.py
    counts, factors = [], []
    cells = np.zeros((len(inputs["rows"]), 20, 20), dtype=bool)
    for row, (x, y, w, h, factor, size) in zip(cells, inputs["rows"], strict=True):
        region = region_around(Box(x, y, w, h), Crop(factor=factor, size=int(size)), (frame.shape[1], frame.shape[0]))
        mask = region.padding()
        patches.append(region.take(frame))
        counts.append((mask.sum(), mask.any(axis=1).sum(), mask.any(axis=0).sum()))
        factors.append(region.size / region.width)
        row[: region.size // 16, : region.size // 16] = mask[::16, ::16]
    return {"patches": patches, "resize_factor": np.array(factors), "mask_counts": np.array(counts), "mask_cells": cells}


def stark_loss(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    weight, (height, width) = meta["arguments"]["weights"], meta["arguments"]["image"]
    predicted = torch.from_numpy(inputs["box_logits"]).sigmoid().requires_grad_()
    wanted = in_torch.xyxy_from_xywh(torch.from_numpy(inputs["targets_xywh"]).float())
    corners = in_torch.xyxy_from_cxcywh(predicted)
    giou, l1 = losses.giou_loss(corners, wanted), losses.l1_loss(corners, wanted)
    total = weight["giou"] * giou + weight["l1"] * l1
    (gradient,) = torch.autograd.grad(total, [predicted])
    _, overlap = losses.giou(corners, wanted.clamp(0, 1))
    outputs = {"giou_loss": giou, "iou": overlap, "l1": l1, "total": total, "gradient": gradient}
    clipped = {
        name: np.array([clip_to_margin(Box(*box), (width, height), margin) for box in inputs["clip_boxes_xywh"]])
        for name, (margin,) in numbers(meta["outputs"], r"clipped_margin(\d+)").items()
    }
    return {name: value.detach().numpy() for name, value in outputs.items()} | clipped


def swintrack_crop(_meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    frame = inputs["frame"]
    mean = frame.mean(axis=(0, 1))
    patches: Any = []  # crops of several sizes, cut alike by check.py
    parameters = []
    for x1, y1, x2, y2, area, size in inputs["rows"]:
        crop = Crop(rule="context-exact", factor=(area - 1) / 2, size=int(size), pixels="float32", padded="aligned")
        region = region_around(Box(x1, y1, x2 - x1, y2 - y1), crop, (frame.shape[1], frame.shape[0]), tuple(mean))
        patches.append(region.take(frame).transpose(2, 0, 1) / 255)
        parameters.append([[region.size / region.frame.w] * 2, region.frame.centre, [region.size / 2] * 2])
    return {"patches": patches, "parameters": np.array(parameters), "mean": mean / 255}


def swintrack_loss(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    arguments = meta["arguments"]
    score, boxes = (torch.from_numpy(inputs[name]).sigmoid().requires_grad_() for name in ("class_logits", "box_logits"))
    targets = torch.from_numpy(inputs["boxes_xyxy"]) / arguments["search_size"]
    varifocal, giou, quality = overlap.overlap_losses(score.squeeze(1), boxes, targets.float())
    total = arguments["weights"]["varifocal"] * varifocal + arguments["weights"]["giou"] * giou
    of_score, of_box = torch.autograd.grad(total, [score, boxes])
    batch, cell = overlap.covered_cells(targets, arguments["grid"]).flatten(1).nonzero(as_tuple=True)
    outputs = {
        "positive_batch": batch,
        "positive_cell": cell,
        "box_label": torch.from_numpy(cxcywh_from_xyxy(targets.numpy()))[batch],
        "quality": quality,
        "loss_varifocal": varifocal,
        "loss_giou": giou,
        "loss_total": total,
        "gradient_class_score": of_score,
        "gradient_box": of_box,
    }
    return {name: value.detach().numpy() for name, value in outputs.items()}


def transt_loss(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    arguments, weight = meta["arguments"], meta["arguments"]["weights"]
    logits = torch.from_numpy(inputs["logits"]).requires_grad_()
    predicted = torch.from_numpy(inputs["box_logits"]).sigmoid().requires_grad_()
    targets = torch.from_numpy(inputs["boxes"]).float()
    entropy, l1, giou = tokens.token_losses(logits, predicted, targets, background=arguments["background_weight"])
    total = weight["ce"] * entropy + weight["l1"] * l1 + weight["giou"] * giou
    of_logits, of_boxes = torch.autograd.grad(total, [logits, predicted])
    batch, cell = tokens.target_cells(in_torch.xyxy_from_cxcywh(targets), arguments["grid"]).flatten(1).nonzero(as_tuple=True)
    outputs = {
        "positive_batch": batch,
        "positive_cell": cell,
        "loss_ce": entropy,
        "loss_l1": l1,
        "loss_giou": giou,
        "loss_total": total,
        "gradient_logits": of_logits,
        "gradient_boxes": of_boxes,
    }
    return {name: value.detach().numpy() for name, value in outputs.items()}


def swintrack_positions(meta: Mapping[str, Any], _inputs: Inputs) -> Outputs:
    def pairs_of(template: tuple[int, int], search: tuple[int, int]) -> tuple[Array, Array]:
        return pair_index((template, search), (0, 1)), pair_index((template, search), (1,))

    tiny, base = pairs_of((7, 7), (14, 14)), pairs_of((12, 12), (24, 24))
    outputs: Outputs = {"self_index_tiny": tiny[0], "cross_index_tiny": tiny[1]}
    outputs["table_sizes"] = np.array([index.max() + 1 for index in (*tiny, *base)])
    for name, (a, b, c, d) in numbers(meta["outputs"], r"self_index_(\d+)x(\d+)_(\d+)x(\d+)").items():
        outputs[name], outputs[name.replace("self", "cross")] = pairs_of((a, b), (c, d))
    for name, (side,) in numbers(meta["outputs"], r"window_index_(\d+)").items():
        outputs[name] = window_index(side).numpy()
    for name, (height, width, side) in numbers(meta["outputs"], r"shift_mask_(\d+)x(\d+)_window(\d+)").items():
        outputs[name] = moved_mask(height + -height % side, width + -width % side, side).numpy()
    return outputs


def transt_crop(_meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    return whole_squares(inputs, np.trunc)


def whole_squares(inputs: Inputs, fill_of: Callable[[Array], Array], **options: Any) -> Outputs:
    """Crops of given centre, side and size: (3, size, size) each, of two sizes, cut alike by check.py."""
    frame = inputs["frame"]
    border = frame.mean(axis=(0, 1))
    regions = [
        whole_square(cx, cy, int(side), int(size), (frame.shape[1], frame.shape[0]), tuple(fill_of(border)))
        for cx, cy, side, size in inputs["rows"]
    ]
    patches: Any = [replace(region, **options).take(frame).transpose(2, 0, 1) for region in regions]
    return {"patches": patches, "border": border}


def siamfc_labels(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    arguments = meta["arguments"]
    outputs = {}
    for name, (side,) in numbers(meta["outputs"], r"labels_(\d+)(?:_\w+)?").items():
        radii = arguments.get(name, arguments["labels_17"])
        labels = responses.response_labels(side, stride=arguments["total_stride"], positive=radii["r_pos"], negative=radii["r_neg"])
        outputs[name] = labels.repeat(meta["outputs"][name]["shape"][0], 1, 1, 1).numpy()
    logits = (torch.from_numpy(inputs["logits"]) * arguments["logit_scale"]).requires_grad_()
    labels = torch.from_numpy(outputs["labels_15"][:1]).repeat(logits.shape[0], 1, 1, 1)
    losses_of = {
        "balanced": responses.balanced(logits, labels),
        "focal": responses.focal(logits, labels, gamma=arguments["focal_gamma"]),
        "ghmc": responses.harmonized(logits, labels, bins=arguments["ghmc_bins"], momentum=arguments["ghmc_momentum"][0])[0],
        "ohnm": responses.hard_negatives(logits, labels, ratio=arguments["ohnm_negative_ratio"]),
    }
    losses_of |= {
        name: responses.balanced(logits, labels, negative=weight)
        for name, (weight,) in numbers(meta["outputs"], r"balanced_neg(\d+)").items()
    }
    for name, loss in losses_of.items():
        outputs[name] = loss.detach().numpy()
        outputs[f"{name}_gradient"] = torch.autograd.grad(loss, logits, retain_graph=True)[0].numpy()
    before, remembered = None, []
    for i in range(3):
        loss, before = responses.harmonized(
            logits.detach() / 2**i, labels, bins=arguments["ghmc_bins"], before=before, momentum=arguments["ghmc_momentum"][1]
        )
        remembered.append(loss.item())
    return outputs | {"ghmc_momentum": np.array(remembered)}


def vittrack_positions(meta: Mapping[str, Any], _inputs: Inputs) -> Outputs:
    return {name: sinusoid_table(num, width).numpy() for name, (num, width) in numbers(meta["outputs"], r"table_(\d+)_(\d+)").items()}


def zoomtrack_crop(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    arguments, frame = meta["arguments"], inputs["frame0"]
    zoom = Zoom(factor=arguments["zoom_factor"], cells=arguments["grid"][0] - 1, bandwidth=arguments["bandwidth_scale"])
    crop = Crop(factor=arguments["search_factor"], size=arguments["size"], pixels="float32", zoom=zoom)
    outputs: Outputs = {}
    for i, box in enumerate(inputs["boxes"]):
        region = region_around(Box(*box), crop, (frame.shape[1], frame.shape[0]))
        assert isinstance(region, BentRegion)
        cut = (region.width, region.height)
        nodes = saliency((box[2], box[3]), cut, zoom)
        widths, heights = cell_sides(nodes, cut, zoom)
        columns, rows = region.bend.places()
        unwarped = np.array([region.bend.to_cut(corners) for corners in inputs["test_boxes"]])
        warped = np.array([region.bend.from_cut(corners) for corners in inputs["test_boxes"]])
        outputs |= {
            f"saliency_{i}": nodes,
            f"row_steps_{i}": heights,
            f"column_steps_{i}": widths,
            f"grid_{i}": np.stack(np.broadcast_arrays(2 * columns - 1, 2 * rows[:, np.newaxis] - 1), axis=2),
            f"crop_{i}": region.take(frame).transpose(2, 0, 1),
            f"crop_side_{i}": np.array([region.width]),
            f"unwarped_{i}": unwarped * region.width,
            f"unwarped_fraction_{i}": unwarped,
            f"warped_{i}": warped * (region.size - 1) / region.size,  # as published: there, pixel i stands at i / size
        }
    return outputs


COMPONENTS: dict[str, Callable[[Mapping[str, Any], Inputs], Outputs]] = {
    "boxes": boxes,
    "box_to_crop": box_to_crop,
    "candidate_elimination": candidate_elimination,
    "ce_keep_rate": ce_keep_rate,
    "ce_mask": ce_mask,
    "crop_sample_target": crop_sample_target,
    "dcf_fourier": dcf_fourier,
    "hann": hann,
    "hcat_crop": hcat_crop,
    "heatmap_target": heatmap,
    "losses_ostrack": losses_ostrack,
    "map_back_and_clip": map_back_and_clip,
    "prroi_pool": prroi_pool,
    "pytracking_crop": pytracking_crop,
    "siamfc_crop": siamfc_crop,
    "siamfc_labels": siamfc_labels,
    "stark_crop": stark_crop,
    "stark_loss": stark_loss,
    "swintrack_crop": swintrack_crop,
    "swintrack_loss": swintrack_loss,
    "swintrack_positions": swintrack_positions,
    "train_pair": train_pair,
    "transt_crop": transt_crop,
    "transt_loss": transt_loss,
    "vittrack_positions": vittrack_positions,
    "zoomtrack_crop": zoomtrack_crop,
}
