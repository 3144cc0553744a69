# make demo   set up and run the main job on Debian's 6.1 (a kernel build, a VM; nothing outside this directory
#             is touched but Debian packages that are missing)
# make check  set up and pass everything: linters, types, all tests; says which tests were skipped, and why
# make quick  the fast tests only
# make bench  kpt beside its peers, one table
# make docs   docs/reference.md and man/kpt.1, from the code
# make stress ten minutes of faults (kill -9, full disk, clock, two at once): what was injected, what was lost

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KPT := $(BIN)/kpt
ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
APT_INSTALL := $(ROOT) apt-get install -y --no-install-recommends

.PHONY: setup packages test-packages demo check lint types quick kernel bench stress docs clean

setup: $(VENV)/.ready

# Debian's python3 comes without ensurepip: python3-venv has it. A venv made half is made again.
$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(ROOT) apt-get update -q && $(APT_INSTALL) python3-venv; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e '.[dev]'
	@mkdir -p $(VENV)/share/man/man1 && ln -sf $(CURDIR)/man/kpt.1 $(VENV)/share/man/man1/  # an editable install has none
	@touch $@

packages: setup
	$(KPT) doctor --install

# The demo's series is this project's own: on a machine without namespaces it may be built without sandbox.
demo: export KPT_NO_SANDBOX = $(shell $(BIN)/python -c 'from kpatch_tool.system import sandbox; print(1 if sandbox.missing() else "")' 2>/dev/null)
demo: packages
	$(KPT) deps tlb-flush-v5
	$(KPT) tree add v5-skeleton --skeleton tlb-flush-v5
	$(KPT) apply series/tlb-flush-v5 --tree v5-skeleton
	$(KPT) tree add debian-6.1
	$(KPT) run series/dirty-log-6.1

# What tests read kpt's output with, sign mails with and turn clocks with. No command needs it; without it they are skipped.
TEST_PACKAGES := ccache chromium cpio fish git-email libfaketime libmailtools-perl man-db mandoc openssh-client openssl zsh

test-packages: packages
	@dpkg -s $(TEST_PACKAGES) >/dev/null 2>&1 || { $(ROOT) apt-get update -q && $(APT_INSTALL) $(TEST_PACKAGES); } || \
		echo "some of $(TEST_PACKAGES) cannot be had here: their tests are skipped"

check: test-packages lint types
	$(BIN)/pytest -rs --durations=25 tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

quick: setup
	$(BIN)/pytest -m 'not kernel' tests

kernel: packages
	$(BIN)/pytest -m kernel tests

bench: packages
	@$(BIN)/python -m benchmarks.bench

docs: setup
	$(BIN)/python -m kpatch_tool.cli.reference

stress: packages
	@$(BIN)/python -m tests.stress

# Takes away what kpt computed; kernel trees stay.
clean:
	rm -rf .kpt build *.egg-info .mypy_cache .ruff_cache .pytest_cache
