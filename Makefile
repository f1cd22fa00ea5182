# The commands of a developer, a user without patience, and CI. `make help` lists them.
#
# PYTHON   the interpreter that the virtual environment is made from (3.11 or newer)
# VENV     where the virtual environment is
# QT       pyqt6 or pyside6

PYTHON ?= python3
VENV ?= .venv
QT ?= pyqt6

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Windows open on the display there is, or else on a virtual one drawn by the processor.
SCREEN := $(if $(filter Linux,$(shell uname)),$(if $(DISPLAY)$(WAYLAND_DISPLAY),,\
	env -u QT_QPA_PLATFORM LIBGL_ALWAYS_SOFTWARE=1 xvfb-run -a -s "-screen 0 1600x1000x24"))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint format unit coverage manifest wheel bench sizes docs pictures clean system programs

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1 - \2/p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.ready ## segment a ventricle in a real brain: in a window, or as pictures in demo/
	$(SCREEN) $(BIN)/python -m examples.demo $(if $(SCREEN),,--stay)

test: lint unit manifest wheel ## everything that CI runs, in its order

lint: $(VENV)/.ready-dev ## format, style, types and the direction of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready-dev ## mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

unit: $(VENV)/.ready-dev ## the tests, on several processes
	$(BIN)/python scripts/run_tests.py

coverage: $(VENV)/.ready-dev ## the tests, with the lines and branches that they run
	$(BIN)/python scripts/run_tests.py --cov --cov-report=term:skip-covered

manifest: $(VENV)/.ready-dev ## the plugin's manifest and everything that it names
	$(BIN)/npe2 validate --imports napari-medvlm

wheel: $(VENV)/.ready-dev ## a wheel, and whether napari finds it in a clean environment
	QT=$(QT) $(BIN)/python scripts/check_wheel.py

bench: $(VENV)/.ready-dev ## clicks, seconds and frames beside other methods
	$(BIN)/python -m benchmarks.clicks
	$(BIN)/python -m benchmarks.grounding
	$(SCREEN) $(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.sizes

sizes: $(VENV)/.ready-dev ## sizes of files, functions and classes, as a row of a table
	$(BIN)/python -m benchmarks.sizes

docs: $(VENV)/.ready-docs ## the documentation site in build/site, with every warning an error
	$(BIN)/python scripts/site_pages.py build/docs
	$(BIN)/python -m mkdocs build --strict
	$(BIN)/python scripts/check_site.py build/site

pictures: demo $(VENV)/.ready-dev ## make the pictures of the documents again
	$(SCREEN) $(BIN)/python -m examples.ground
	$(SCREEN) $(BIN)/python -m examples.models
	$(SCREEN) $(BIN)/python -m examples.ask
	$(SCREEN) $(BIN)/python -m examples.pacs
	$(SCREEN) $(BIN)/python -m examples.cases
	$(SCREEN) $(BIN)/python -m examples.trust
	$(SCREEN) $(BIN)/python -m examples.measure
	$(SCREEN) $(BIN)/python -m examples.evaluate
	$(BIN)/python -m examples.report
	$(SCREEN) $(BIN)/python -m examples.views
	$(SCREEN) $(BIN)/python -m examples.tour
	for picture in docs/images/*; do [ ! -e demo/$${picture##*/} ] || cp demo/$${picture##*/} $$picture; done

clean: ## remove what the commands here have made
	rm -rf $(VENV) build dist demo htmlcov .coverage*

# Cheap, so it is always asked: a display may be gone since the environment was made.
system:
	@command -v $(PYTHON) > /dev/null || { \
		echo "There is no $(PYTHON). Install Python 3.11 or newer (Debian: apt-get install python3)" \
		"or name another one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) scripts/system.py

# What the tests compare with.
programs: system
	@$(PYTHON) scripts/system.py --tests

$(VENV)/.ready: pyproject.toml constraints.txt | system
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade --constraint constraints.txt pip
	$(PIP) install --quiet --constraint constraints.txt --editable ".[$(QT)]"
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready | programs
	$(PIP) install --quiet --constraint constraints.txt --group dev
	@touch $@

$(VENV)/.ready-docs: $(VENV)/.ready
	$(PIP) install --quiet --constraint constraints.txt --group docs
	@touch $@
