# `make book` and `make test` set up what they need in .venv and may be repeated.
PYTHON ?= python3
BIN := .venv/bin
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' cmcsl_lib/__init__.py)
# Scripts of an environment name the folder that they were made in: one that was copied or moved with the checkout is
# made anew.
scripts = $(CURDIR)/$(1)/bin/
named = grep -qF -e '!$(scripts)' -e ' $(scripts)' -e '"$(scripts)' $(1)/bin/pip
elsewhere = $(shell test ! -x $(1)/bin/pip || $(named) || echo elsewhere)
venv = $(if $(call elsewhere,$(1)),,test -x $(1)/bin/python ||) $(PYTHON) -m venv --clear $(1)

# Containers often set it; then every process would compile all that it imports, and imports take three times as long.
unexport PYTHONDONTWRITEBYTECODE

ESLINT := eslint@10.15.0

.PHONY: book pdf scores check lint-js test quick weekly test-oldest newest dist tag sums clean elsewhere

# Modules are compiled when they are first imported (--no-compile): most of them never are.
book: .venv/installed-book
	@$(BIN)/cmcsl book

# Needs Chromium.
pdf: .venv/installed-book
	@$(BIN)/cmcsl book --pdf

# The authors' score arrays, of which the repository ships means and the statistics of tests.
scores: .venv/installed-book
	@$(BIN)/cmcsl fetch published-scores

test: .venv/installed-test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

# Rules of style, the direction of imports, types, and the docstrings of what is public.
check: .venv-check/installed .venv/installed-test
	.venv-check/bin/ruff format --check .
	.venv-check/bin/ruff check .
	PYTHONPATH=. .venv-check/bin/lint-imports --no-cache
	.venv-check/bin/mypy --python-executable $(BIN)/python cmcsl_lib
	$(BIN)/python -m pytest --quiet tests/test_api.py

# The scripts of the pages, by eslint.config.mjs. Needs Node.js 20 or newer, which nothing else here does.
lint-js:
	npx --yes $(ESLINT) cmcsl_lib/book/scripts book/_static

.venv-check/installed: requirements/check.txt $(call elsewhere,.venv-check)
	$(call venv,.venv-check)
	.venv-check/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -r $<
	@touch $@

# The tests of daily work: those that take seconds.
quick: .venv/installed-test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup -m "not slow and not weekly"

# What trains for minutes.
weekly: .venv/installed-test
	$(BIN)/python -m pytest -m weekly

# The same tests with the oldest versions that pyproject.toml allows, in an environment of its own.
test-oldest: .venv-oldest/installed
	.venv-oldest/bin/python -m pytest

.venv-oldest/installed: requirements/oldest.txt $(call elsewhere,.venv-oldest)
	$(call venv,.venv-oldest)
	.venv-oldest/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -r $<
	.venv-oldest/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -e .
	@touch $@

# The newest packages that pyproject.toml allows, instead of the exact ones of requirements/.
newest:
	$(call venv,.venv)
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager -e ".[book,extract,bayes,dask,test]"
	@touch .venv/installed-book .venv/installed-test

.venv/installed-book: requirements/book.txt pyproject.toml $(call elsewhere,.venv)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cmcsl needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(call venv,.venv)
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --disable-pip-version-check -r requirements/book.txt
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/installed-test: requirements/test.txt .venv/installed-book
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements/test.txt
	@touch $@

# Wheel and sdist of this commit, checked.
dist: .venv-release/installed
	rm -rf dist build
	.venv-release/bin/python -m build --no-isolation
	.venv-release/bin/python -m twine check --strict dist/*
	.venv-release/bin/check-wheel-contents dist

.venv-release/installed: requirements/release.txt $(call elsewhere,.venv-release)
	$(call venv,.venv-release)
	.venv-release/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The tag of a release, from which .github/workflows/release.yml publishes it.
tag: check
	git tag --annotate --message "cmcsl $(VERSION)" v$(VERSION)

# The list that shipped files are checked against: write it anew after a change of them that is meant.
sums:
	cd data && find * -path cache -prune -o \( -name '*.csv' -o -name '*.parquet' \) -print0 | LC_ALL=C sort -z | xargs -0 sha256sum > SHA256SUMS

clean:
	rm -rf .venv .venv-check .venv-oldest .venv-release _build build dist book/notebooks .doit.db*
