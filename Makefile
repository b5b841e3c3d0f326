# Two commands set up everything on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
SOURCES := mmbench tests benchmarks $(PLUGINS)
INSTALLED := $(PLUGINS:plugins/sentence-transformers=plugins/sentence-transformers[minilm])
INSTALLED := $(INSTALLED:plugins/heads=plugins/heads[xgboost,lightgbm])
INSTALLED := $(INSTALLED:plugins/datasets=plugins/datasets[huggingface,multabench])
INSTALLED := $(INSTALLED:plugins/features=plugins/features[chinese,spacy])
# What other plugins need comes first: pip finds a local one with extras only where it stands before.
INSTALLED := plugins/hub plugins/manifest[video] $(filter-out plugins/hub plugins/manifest,$(INSTALLED))

.PHONY: quickstart test lint types format bench clean

quickstart: .venv/.installed
	$(BIN)/mmbench run benchmarks/quickstart.toml

test: .venv/.installed
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest

lint: .venv/.installed
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: .venv/.installed
	$(BIN)/mypy mmbench
	set -e; for plugin in $(PLUGINS); do \
	  (cd $$plugin && ../../$(BIN)/mypy --config-file ../../pyproject.toml mmbench_$$(basename $$plugin | tr - _)); \
	done

bench: .venv/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks.speed.regressions

format: .venv/.installed
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

.venv/.installed: $(PROJECTS) constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]" $(addprefix -e ./,$(INSTALLED))
	touch $@

clean:
	rm -rf .venv
