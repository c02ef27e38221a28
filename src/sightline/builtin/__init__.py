"""The trackers in the wheel: NAME.onnx with its spec inside, NAME.init.onnx for the template, NAME.md, the model card."""

DEFAULT = "merlin"  # the one that is used unless another is named
