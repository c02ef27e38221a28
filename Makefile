# make demo    a virtual environment with the core, then one object followed through a rendered clip
# make test    everything a change has to pass; installs what it needs into the same .venv
# Further: test-golden (every fixture, full size), test-toolkits (beside VOT's and GOT-10k's own programs), zoo (sizes and parities), table (of README), precision (of docs/how-to/speed.md), edge (MNN, ncnn, LiteRT), pictures (of README and docs), docs (served), clean

PYTHON ?= python3
SHARED ?= $(or $(SIGHTLINE_SHARED),../shared)
WEIGHTS := $(SHARED)/weights
VITTRACK ?= $(WEIGHTS)/vittrack/object_tracking_vittrack_2023sep.onnx
NANOTRACK ?= $(WEIGHTS)/nanotrack_v2/nanotrack_backbone_sim.onnx+$(WEIGHTS)/nanotrack_v2/nanotrack_head_sim.onnx
# tracker=file of its authors, below $(WEIGHTS)
PUBLISHED := vittrack-nano=vittrack/object_tracking_vittrack_2023sep.onnx nanotrack-v1=nanotrack_v1/nanotrackv1.pth \
	nanotrack-v2=nanotrack_v2/nanotrackv2.pth nanotrack-v3=nanotrack_v3/nanotrackv3.pth fear-xs=fear_xs/fear_xs_encoder.onnx \
	fear-xs-smooth=fear_xs/fear_xs_encoder.onnx lighttrack-mobile=lighttrack_m/lighttrack_mobile_from_openvino.pth dcfnet=dcfnet/param.pth
EXPORTED := $(foreach pair,$(PUBLISHED),runs/$(firstword $(subst =, ,$(pair))).onnx)
INSTALL := -m pip --disable-pip-version-check --quiet install -c constraints.txt

export OMP_NUM_THREADS := 1

.PHONY: demo test lint test-golden test-toolkits zoo table precision edge pictures docs clean always

demo: .venv/core
	@mkdir -p demo
	.venv/bin/sightline scene demo/clip.mp4
	.venv/bin/sightline track demo/clip.mp4 --box "$$(head -1 demo/clip.txt)" --output demo/tracked.mp4 --results demo/track.csv

test: lint
	.venv/bin/pytest -n 2 --dist loadfile

lint: .venv/dev
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo --no-cache
	.venv/bin/codespell
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

# Every fixture that has a runner, and published weights on real sequences.
# `tests/golden/check.py DIR` also lists the fixtures that have no runner, and fails because of them.
test-golden: .venv/dev
	SIGHTLINE_SHARED="$(abspath $(SHARED))" .venv/bin/pytest tests/test_golden.py tests/test_accuracy.py tests/test_every_family.py tests/models/test_dasiamrpn.py tests/models/test_siamrpn.py -m "golden or not golden"

# Our figures beside those of the toolkits' own programs, which run our tracker by TraX. They never stand in the environment of the core.
test-toolkits: .venv-toolkits/made
	PATH="$(CURDIR)/.venv-toolkits/bin:$$PATH" .venv-toolkits/bin/python -m pytest tests/evaluate/test_other_toolkits.py tests/evaluate/test_vot_toolkit.py tests/adapters/test_trax_library.py

# What `sightline zoo` and its page of the documentation show: sizes of every tracker, and parities where recorded outputs are at hand.
zoo: .venv/dev
	.venv/bin/python benchmarks/zoo.py $(if $(wildcard $(SHARED)/golden),--golden "$(SHARED)/golden")

# Speed, overlap and accuracy of engines and precisions: the table of docs/how-to/speed.md. Nothing else may run; SPEED=--no-speed where it does.
# TRACKERS takes names, and files that `sightline export` wrote.
TRACKERS ?= merlin kestrel-nano runs/vittrack-nano.onnx runs/nanotrack-v2.onnx
precision: .venv/dev $(filter runs/%,$(TRACKERS))
	.venv/bin/python -m benchmarks.precision --calibrate "$(SHARED)/data/train" --data "$(SHARED)/data/eval" \
		--trackers $(TRACKERS) $(SPEED) --docs docs/how-to/speed.md

# Made again every time: the code that converts and exports is as new as the checkout.
runs/%.onnx: .venv/dev always
	@mkdir -p runs
	.venv/bin/sightline convert "$(WEIGHTS)/$(patsubst $*=%,%,$(filter $*=%,$(PUBLISHED)))" --tracker $* --output runs/$*.safetensors
	.venv/bin/sightline export runs/$*.safetensors --output $@

# Published networks by way of our own, and OpenCV's trackers from a wheel that cannot stand beside the core's.
table: .venv-bench/made $(EXPORTED)
	OPENCV_LOG_LEVEL=ERROR .venv-bench/bin/python -m benchmarks.accuracy --data "$(SHARED)/data/eval" \
		--exported $(EXPORTED) \
		--opencv csrt kcf mosse "vit=$(VITTRACK)" "nano=$(NANOTRACK)" --readme README.md

# The trackers in the package on MNN, ncnn and LiteRT, whose converters want packages of their own (TensorFlow among them).
edge: .venv/dev .venv-edge/made
	.venv/bin/python benchmarks/edge/plain.py --output runs/edge
	.venv-edge/bin/python benchmarks/edge/run.py
	.venv-edge/bin/pytest tests/benchmarks/test_edge.py -p no:cacheprovider

pictures: .venv/dev
	.venv/bin/python docs/pictures.py

docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs serve

clean:
	rm -rf .venv .venv-bench .venv-toolkits .venv-edge build dist demo site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The files are stamps: made again when what is to be installed has changed, so a second call starts at once.
.venv/made:
	$(PYTHON) -m venv .venv
	@touch $@

.venv/core: .venv/made pyproject.toml constraints.txt
	@echo "Installing the core into .venv ..."
	.venv/bin/python $(INSTALL) -e .
	@touch $@

.venv/dev: .venv/core
	@echo "Installing what tests need into .venv (torch, onnx, ...): minutes the first time ..."
	.venv/bin/python $(INSTALL) -e '.[train,openvino,int8,plots,parquet,ray,dev]'
	@touch $@

.venv-bench/made: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python $(INSTALL) numpy onnxruntime av tyro rich opencv-contrib-python-headless==5.0.0.93
	.venv-bench/bin/python $(INSTALL) --no-deps -e .
	@touch $@

.venv-toolkits/made: pyproject.toml constraints.txt tests/evaluate/toolkits.txt
	$(PYTHON) -m venv .venv-toolkits
	.venv-toolkits/bin/python $(INSTALL) -r tests/evaluate/toolkits.txt
	.venv-toolkits/bin/python $(INSTALL) --no-deps -e .
	@touch $@

.venv-edge/made: pyproject.toml
	$(PYTHON) -m venv .venv-edge
	.venv-edge/bin/python -m pip --disable-pip-version-check --quiet install onnx2tf==1.29.24 MNN==3.6.1 ncnn==1.0.20261020 psutil av tyro rich \
		pytest hypothesis pillow
	.venv-edge/bin/python -m pip --disable-pip-version-check --quiet install --no-deps pnnx==20261020 -e .
	@touch $@
