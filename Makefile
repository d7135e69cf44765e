# `make demo` and `make test` are the two commands of the README. Each makes its own
# virtual environment with the pinned packages.
PYTHON ?= python3
RUN ?= demo-run
# Python compiles a module when it is first imported, and most never are. It must keep what it
# compiled, whatever the shell says: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = -m pip install --no-compile --quiet --disable-pip-version-check --constraint constraints.txt
BACKENDS ?= tensorflow jax torch

.PHONY: demo test test-backend lint notebooks docs

demo: .venv/demo.done
	KERAS_BACKEND=tensorflow .venv/bin/keras-transformer demo $(RUN) --overwrite

test: lint test-backend

# One backend: make test-backend BACKENDS=jax
test-backend: .venv/test.done
	@failed=; for backend in $(BACKENDS); do \
		echo "== $$backend"; \
		KERAS_BACKEND=$$backend TF_CPP_MIN_LOG_LEVEL=3 .venv/bin/python -m pytest -n 2 \
			|| failed="$$failed $$backend"; \
	done; test -z "$$failed" || { echo "failed on:$$failed"; exit 1; }

lint: .venv/test.done
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

notebooks: .venv/test.done
	KERAS_BACKEND=tensorflow .venv/bin/python tools/make_notebooks.py

docs: .venv/test.done
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build
	@echo "The site is in site: open site/index.html"

.venv/demo.done: pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python $(INSTALL) --editable ".[tensorflow]"
	touch $@

# torch first and by its exact version: a range may bring gigabytes that a CPU has no
# use for.
.venv/test.done: pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python $(INSTALL) torch==2.13.0
	.venv/bin/python $(INSTALL) --editable ".[tensorflow,jax,torch,serve,app,pretrained,fsmt,kerashub,data,bulk,documents,notebooks,examples,docs,dev]"
	touch $@
