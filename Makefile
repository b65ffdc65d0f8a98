# `make run` and `make test` do all their own set-up: all they need is Python 3.11 or newer and a package index.
.PHONY: help run test check audit soak bench killmatrix canary rehearsal docs messages evidence screenshots format lock password clean
.DEFAULT_GOAL := help

BIN := .venv/bin
RUNTIME := .venv/runtime.installed
DEVELOPMENT := .venv/development.installed
CODE := cakewalk directory integrations provisioning
# Where it is set, as in many containers, each process would compile all packages anew: a third of all tests' time.
unexport PYTHONDONTWRITEBYTECODE
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
  --no-emit-index-url --no-emit-find-links

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */  make \1\t/' | expand -t 18

run: $(RUNTIME) .env  ## serve Cakewalk on PORT (8000), with worker and beat in the same process
	@exec $(BIN)/python manage.py serve

test: $(DEVELOPMENT)  ## all tests; those that need PostgreSQL, Redis, Chromium or OpenLDAP are skipped without
	@$(BIN)/python -m pytest -n 3

soak: $(DEVELOPMENT)  ## generated tests by the hundred thousand, chaos, workers killed at every step, outages; about 20 minutes
	@$(BIN)/python -m tests.soak $(if $(SEED),--seed $(SEED))

bench: $(DEVELOPMENT)  ## what large things cost, beside a floor measured in the same run; 30 minutes; ONLY=endurance: as long again
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(WRITE),--write)

canary: $(DEVELOPMENT)  ## plant secrets, live a whole life with them, search for them everywhere; needs PostgreSQL and Redis
	@$(BIN)/python -m tests.canary $(if $(WRITE),--write)

killmatrix: $(DEVELOPMENT)  ## kill a worker at every step of a job, on SQLite and on PostgreSQL with Redis
	@$(BIN)/python -m tests.killing.matrix

rehearsal: $(DEVELOPMENT)  ## a production-like installation, killed piece by piece; needs PostgreSQL, Redis and nginx; 6 minutes
	@$(BIN)/python -m tests.rehearsal $(if $(SHORT),--short) $(if $(WRITE),--write) $(if $(KEEP),--keep)

check: $(DEVELOPMENT) .env  ## format, lint (code and templates), types, architecture, Django's checks, missing migrations
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted: run make format."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/djlint --lint --quiet $(CODE)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > .import-contracts 2>&1 || { cat .import-contracts; rm .import-contracts; exit 1; }
	@rm .import-contracts
	@$(BIN)/python manage.py check
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@echo "make check: all clean."

docs: $(DEVELOPMENT)  ## the documentation as a site in build/docs, for any web server or none; a broken link is an error
	@rm -rf build/docs
	@$(BIN)/python -m sphinx -q --fail-on-warning --keep-going docs build/docs
	@echo "make docs: open build/docs/index.html"

audit: $(DEVELOPMENT)  ## known faults of the pinned packages; fails where their database is out of reach
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements.txt || { \
	  echo "make audit: failed. A fault is named above; or the database of faults could not be asked, and then" >&2; \
	  echo "nothing is known of any package: run it again where the network reaches that database." >&2; exit 1; }

record: $(DEVELOPMENT) .env  ## docs/record.md: the words of the record, as they are in the code
	@$(BIN)/python manage.py shell --no-imports -c "from tests.documents import record; record.write()"

messages: $(DEVELOPMENT) .env  ## collect the texts to translate, and compile the translations; needs GNU gettext
	@$(BIN)/python manage.py makemessages --locale de --ignore 'tests/*' --ignore 'docs/*' --ignore 'var/*'
	@$(BIN)/python manage.py compilemessages --locale de --ignore '.venv/*' --verbosity 0

permissions: $(DEVELOPMENT)  ## the tables of docs/permissions.md: who may see and do what
	@$(BIN)/python -m tests.permission_tables

evidence: $(DEVELOPMENT)  ## docs/evidence: a sample evidence pack, from a month at a simulated organization
	@$(BIN)/python -m tests.evidence_sample

screenshots: $(DEVELOPMENT)  ## docs/screenshots: every page in light, in dark and on a phone; and what axe finds on it
	@$(BIN)/python -m tests.screenshots $(if $(ONLY),--only $(ONLY))

format: $(DEVELOPMENT)  ## format the code
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

lock: $(DEVELOPMENT)  ## compile requirements.in and requirements-dev.in into pinned files with hashes
	@$(COMPILE) requirements.in -o requirements.txt
	@$(COMPILE) requirements-dev.in -o requirements-dev.txt

password: $(RUNTIME) .env  ## give the user admin a new password and print it
	@$(BIN)/python manage.py new_password

clean:  ## delete what can be made again; .env and var/ (your data) stay
	@rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.txt
	@sh deploy/install.sh requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt
	@sh deploy/install.sh requirements-dev.txt
	@touch $@ $(RUNTIME)

.env:
	@$(BIN)/python deploy/write_env.py
