# A new machine needs make and Python 3.11 or later. Everything else is installed into .venv: the service from
# requirements/local.txt, and for `make test` and other work on the code also requirements/all.txt.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
RUN := $(VENV)/bin/python
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_FLAGS) pyproject.toml

# Programs start three times as fast with compiled modules, which a variable of some images forbids to keep.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo up test soak recovery bench lint lock audit sbom wheel clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 8

demo: $(VENV)/ready ## Train the Titanic model, start the service, score a file, and stop
	@exec $(RUN) -m rowcast.cli demo

up: $(VENV)/ready ## Run the whole service on this machine (Ctrl-C stops it)
	@exec $(RUN) -m rowcast.cli up --example $(ARGS)

test: $(VENV)/developer ## Run the tests, five at a time
	@exec $(RUN) -m pytest --numprocesses 5 --dist loadgroup --no-loadscope-reorder $(ARGS)

soak: $(VENV)/developer ## Run the long tests (minutes each)
	@exec $(RUN) -m pytest -m soak -s $(ARGS)

recovery: $(VENV)/developer ## Measure the recovery times and write them into docs/faults.md
	@PYTHONPATH=.:tests/support exec $(RUN) tests/stack/recovery.py $(RECOVERY)

lint: $(VENV)/developer ## Check format, lint rules, types, Dockerfiles, Compose and the workflow
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) tools/prose.py
	$(VENV)/bin/hadolint Dockerfile.api Dockerfile.worker deploy/prometheus/Dockerfile
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/zizmor --offline --quiet --persona pedantic .github/workflows

lock: ## Rewrite requirements/*.txt (needs uv); LOCK_FLAGS=--upgrade for newer releases
	$(LOCK) --extra local --extra otel --group dev --output-file requirements/all.txt
	$(LOCK) --extra local --group build --constraint requirements/all.txt --output-file requirements/local.txt
	$(LOCK) --extra api --extra otel --constraint requirements/all.txt --output-file requirements/api.txt
	$(LOCK) --group audit --constraint requirements/all.txt --output-file requirements/audit.txt
	$(LOCK) --group bench --constraint requirements/all.txt --output-file requirements/bench.txt
	$(LOCK) --group engines --output-file requirements/engines.txt
	$(LOCK) --group mlflow --output-file requirements/mlflow.txt
	$(LOCK) --extra worker --extra otel --constraint requirements/all.txt --output-file requirements/worker.txt

audit: $(VENV)/developer ## Look for known vulnerabilities of the packages (needs the internet)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	for of in local api worker; do $(RUN) -m pip_audit --strict --disable-pip --require-hashes \
		--requirement requirements/$$of.txt || exit 1; done

sbom: $(VENV)/developer ## Write bills of materials of both images (dist/*.cdx.json)
	@mkdir -p dist
	for of in api worker; do $(VENV)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file dist/rowcast-$$of.cdx.json requirements/$$of.txt || exit 1; done

wheel: $(VENV)/ready ## Build the wheel (dist/*.whl)
	@$(RUN) -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

bench: $(VENV)/developer ## Compare Rowcast with what users write instead (bench/results.json, docs/pictures/bench-*.png)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@exec $(RUN) -m bench $(ARGS)

clean: ## Remove .venv and the tools' caches (never .rowcast with models and jobs)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The file `ready` marks a complete environment, so that an interrupted installation is repeated.
# Only relative paths, so that a folder with a space in its name works.
$(VENV)/ready: requirements/local.txt pyproject.toml
	@set -e; \
	for python in python3 python3.13 python3.12 python3.11 python; do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Rowcast needs Python 3.11 or later with its venv module (on Debian: apt install python3-venv)." >&2; exit 1; \
	fi; \
	if [ -e $(VENV)/locked ] && cmp -s requirements/local.txt $(VENV)/locked; then :; else \
		echo "Installing into $(VENV) with $$($$python --version) (once) ..." >&2; \
		rm -rf $(VENV); $$python -m venv $(VENV); \
		$(RUN) -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes \
			-r requirements/local.txt; \
		cp requirements/local.txt $(VENV)/locked; \
	fi; \
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	touch $@

# Compiled on all cores at once; otherwise four processes of tests would compile the same modules side by side.
# Nothing imports the libraries' own tests.
$(VENV)/developer: $(VENV)/ready requirements/all.txt
	@echo "Installing the tools for tests into $(VENV) (once) ..." >&2; \
	$(RUN) -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements/all.txt; \
	$(RUN) -m compileall -qq -j 0 -x '/tests/' $(VENV)/lib || true; \
	touch $@
