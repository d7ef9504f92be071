# Pixels to Maps. `make course` makes the map, `make lab` opens the notebooks, `make test` checks all.
# An archive made by `make archive` carries all packages, for one Python, and weights: nothing is
# downloaded then.
PYTHON ?= $(shell cat wheels/python 2> /dev/null || { for v in 3.12 3.13 3.11; do \
 if python$$v -c '' > /dev/null 2>&1; then echo python$$v; exit; fi; done; echo python3; })
BIN := .venv/bin
# A virtual environment knows its own place: in a folder that was moved it is set up anew.
MOVED := $(shell test "$$(cat .venv/ready 2> /dev/null)" = "$(CURDIR)" || echo moved)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
 $(if $(wildcard wheels),--no-index --find-links wheels)
ifneq ($(wildcard weights),)
export SEGKIT_WEIGHTS ?= $(CURDIR)/weights
endif
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: course lab app lint test speed bench colab outputs times exercises house sources scoreboard publish archive book slides \
 pin clean help moved
help:
	@sed -n 's/^## //p' Makefile

## make course   run notebooks 00 to 07 in order; results in work/
course: .venv/ready
	@$(BIN)/python -m classroom

## make lab      open JupyterLab at notebook 00
lab: .venv/ready
	@$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(FLAGS)

## make app      open the web app: a picture in, its map out
app: .venv/ready
	@$(BIN)/segkit app

lint: .venv/ready
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/codespell

## make test     lint, all tests, and every notebook from start to end, with trainings of seconds;
##               with trainings as learners run them: make test PROFILE=quick;
##               one half of it: make test ONLY=tests, make test ONLY=notebooks
PROFILE ?= smoke
# What one lane does after the notebooks, so that both end together.
LATER := tests/browser tests/test_book.py
test: lint
	@began=$$(date +%s); work=$$(mktemp -d); trap 'exit 130' INT TERM; \
	 trap '{ pkill -P $$other; kill $$other; } 2> /dev/null; rm -rf "$$work"' EXIT; \
	 unset SEGKIT_SCENE SEGKIT_BASEMAP SEGKIT_DISTRICTS; export SEGKIT_DATASET=sample SEGKIT_PROGRESS=0; \
	 run_tests() { SEGKIT_WORK="$$work/lab" $(BIN)/python -m pytest --durations=25 "$$@"; }; \
	 run() { SEGKIT_WORK="$$work" SEGKIT_PROFILE=$(PROFILE) $(BIN)/python -m pytest --nbval-lax \
	 --nbval-cell-timeout=900 --durations=25 -p no:cacheprovider "$$@"; }; \
	 case "$(ONLY)" in tests) run_tests tests; exit;; \
	 notebooks) run notebooks/*.ipynb notebooks/solutions/*.ipynb; exit;; ?*) echo "ONLY=$(ONLY)?"; exit 2;; esac; \
	 export TF_NUM_INTRAOP_THREADS=$$((($$(getconf _NPROCESSORS_ONLN) + 1) / 2)); \
	 { run_tests tests $(LATER:%=--ignore=%); tests=$$?; run notebooks/solutions/0[0-2]*.ipynb; echo $$((tests + $$?)) > "$$work/other"; \
	 } > "$$work/log" 2>&1 & other=$$!; \
	 run notebooks/*.ipynb notebooks/solutions/0[3-9]*.ipynb notebooks/solutions/1*.ipynb; notebooks=$$?; \
	 run_tests $(LATER); notebooks=$$((notebooks + $$?)); wait; cat "$$work/log"; unset TF_NUM_INTRAOP_THREADS; \
	 echo "make test took $$(($$(date +%s) - began)) s; $$($(BIN)/python -m benchmarks.speed 2> /dev/null)"; \
	 exit $$((notebooks + $$(cat "$$work/other")))

## make speed    how fast this machine trains
speed: .venv/ready
	@$(BIN)/python -m benchmarks.speed

## make bench    each stage beside other ways to do the same, in turns; nothing else should run
bench: .venv/ready
	@$(BIN)/python -m benchmarks.bench
	@$(BIN)/python -m benchmarks.scoreboard

## make colab    every notebook but 12 on a stand-in for Colab, opened first and alone
colab: .venv/ready
	@$(BIN)/python -m classroom.stand_in

## make outputs  run all notebooks from clean and store their outputs;
##               some of them: make outputs NAMES="00 04" (what they build on is made, in their time)
outputs: .venv/ready
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && unset SEGKIT_SCENE SEGKIT_BASEMAP SEGKIT_DISTRICTS && \
	 SEGKIT_WORK="$$work" SEGKIT_PROFILE=quick SEGKIT_DATASET=sample \
	 $(BIN)/python -m classroom --renew $(NAMES)
	@$(BIN)/python -m benchmarks.times

## make times    running times of the notebooks, for README and INSTRUCTORS.md
times: .venv/ready
	@$(BIN)/python -m benchmarks.times

## make exercises   copy the exercises from notebooks/solutions into the notebooks
exercises: .venv/ready
	@$(BIN)/python -m classroom --exercises

## make sources  the tables of data/README.md, from what the library knows of each data set
sources: .venv/ready
	@$(BIN)/python -m classroom.sources

## make house    the table of rooms and their imports, for CONTRIBUTING.md
house: .venv/ready
	@$(BIN)/python -m classroom.house

## make scoreboard   tables and figure of the recorded runs, for README and notebooks
scoreboard: .venv/ready
	@$(BIN)/python -m benchmarks.scoreboard

## make publish REPO=owner/name   the public address, in notebooks, README and CITATION.cff;
##               make publish REPO=none takes it out
publish: .venv/ready
	@$(BIN)/python -m classroom.publish "$(or $(REPO),$(error which repository? make publish REPO=owner/name))"

## make archive  one file to carry to machines without a network: work/pixels-to-maps.tar
archive: .venv/ready
	@$(BIN)/python -m classroom.archive

## make book     the course as a website, from the stored outputs: work/book/index.html
book: .venv/ready
	@$(BIN)/python -m classroom.book

## make slides   one sheet for each notebook, and notes for who teaches: work/slides/
slides: .venv/ready
	@$(BIN)/python -m classroom.slides

## make pin      write requirements.txt anew from pyproject.toml (needs uv: pip install uv);
##               the newest TensorFlow comes first, the others as new as it lets them be
PIN := uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
 --no-emit-index-url --upgrade
pin:
	@echo tensorflow | $(PIN) --no-deps - | $(PIN) --constraints /dev/stdin --all-extras \
	 --group dev pyproject.toml \
	 -o requirements.txt
	@pinned=$$(grep '^tensorflow==' requirements.txt) && \
	 sed -i.old "s/tensorflow\[and-cuda\]==[0-9.]*/tensorflow[and-cuda]$${pinned#tensorflow}/" README.md && \
	 rm README.md.old

.venv/ready: requirements.txt pyproject.toml $(MOVED)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	 "Python %d.%d found; this course needs 3.11 to 3.13: make PYTHON=python3.12 …" % v)'
	@echo "Setting up .venv (once; some minutes) …"
	@$(if $(MOVED),$(PYTHON) -m venv --clear .venv,true)
	@$(PIP) -r requirements.txt
	@$(PIP) --no-build-isolation -e .
	@echo "$(CURDIR)" > $@

## make clean    remove what the course made, and .venv; work/mycity, work/challenge and
##               work/replaced (answers that `make exercises` took out) stay
clean:
	rm -rf .venv
	test ! -d work || find work -mindepth 1 -maxdepth 1 ! -name mycity ! -name challenge ! -name replaced -exec rm -rf {} +
