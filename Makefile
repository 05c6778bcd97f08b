# Everything a user types. `make` or `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Compiled modules make each start of the command line twice as fast; pip's and Python's switches that
# would forbid them are not for us.
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV

PYTHON ?= $(shell command -v python3.11 || command -v python3.10 || command -v python3)
BIN := .venv/bin
SOURCES := tick_pipeline tick_pipeline_tests benchmarks terraform/scripts

# The arguments of the aliases.
SCENARIO ?= mixed
DURATION ?= 60
LOAD_DATA_MODE ?=
MINUTES ?= 30
PORT ?= 3000
PROFILE ?= demo
REGION ?=
# Tests run in so many processes, a file in one of them.
WORKERS ?= 2

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 10) <= sys.version_info < (3, 12) else f"Python 3.10 or 3.11 is needed; {sys.executable} is {sys.version.split()[0]}. Name one: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The emulator of AWS pins botocore, so it has an environment of its own.
.venv/.emulator: tick_pipeline_tests/twin/emulator.lock | .venv/.installed
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/emulator
	$(BIN)/uv pip sync --quiet --python .venv/emulator/bin/python --require-hashes --compile-bytecode tick_pipeline_tests/twin/emulator.lock
	@touch $@

# What Glue has on its class path and local Spark does not need: 350 MB, fetched once for every clone.
.venv/.aws-jars: tick_pipeline_tests/twin/jars.py | .venv/.installed
	$(BIN)/python -m tick_pipeline_tests.twin.jars
	@touch $@

# So has the scanner of terraform/, whose packages conflict with ours.
.venv/.checkov: terraform/checkov.lock | .venv/.installed
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/checkov
	$(BIN)/uv pip sync --quiet --python .venv/checkov/bin/python --require-hashes --compile-bytecode terraform/checkov.lock
	@touch $@

.venv/.spark: .venv/.installed
	$(BIN)/python -m tick_pipeline.resources.spark_runtime
	@touch $@

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.spark ## install into .venv, fetch the two jars once, build Spark's class archive

.PHONY: demo
demo: setup ## the whole pipeline once, on this machine (MINUTES=30 SCENARIO=mixed)
	$(BIN)/tick-pipeline demo --minutes $(MINUTES) --scenario $(SCENARIO)

.PHONY: ui
ui: setup ## Dagster's web interface and daemon on http://127.0.0.1:3000 (PORT=), state in TICK_PIPELINE_HOME
	$(BIN)/tick-pipeline ui --port $(PORT)

.PHONY: live
live: setup ## everything at once until Ctrl-C: ticks, delivery, anomalies, Dagster with its sensors on (SCENARIO= PORT=)
	$(BIN)/tick-pipeline live --scenario $(SCENARIO) --port $(PORT)

.PHONY: produce
produce: setup ## simulate ticks into the stream in real time (SCENARIO= DURATION=seconds)
	$(BIN)/tick-pipeline produce --scenario $(SCENARIO) --duration $(DURATION)

.PHONY: batch-run
batch-run: setup ## candles of the last two hours (LOAD_DATA_MODE=parquet|spark|iceberg)
	$(BIN)/tick-pipeline ohlc --start "$$(date -u -d @$$(($$(date +%s) - 3600)) +%Y-%m-%dT%H:00:00Z 2>/dev/null || date -u -r $$(($$(date +%s) - 3600)) +%Y-%m-%dT%H:00:00Z)" --end "$$(date -u +%Y-%m-%dT%H:%M:%SZ)" $(if $(LOAD_DATA_MODE),--load-data-mode $(LOAD_DATA_MODE))

.PHONY: stream-run
stream-run: setup ## score the stream for anomalies in the background; end it by `tick-pipeline anomalies stop`
	$(BIN)/tick-pipeline anomalies start

.PHONY: test
test: setup .venv/.emulator .venv/.aws-jars .venv/.checkov ## every test but the long ones (WORKERS=2)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: soak
soak: setup ## the long tests: many kills, ten-minute runs
	$(BIN)/python -m pytest -m soak --timeout 3600 --hypothesis-profile explore

.PHONY: test-integration-local
test-integration-local: PROFILE = local
test-integration-local: setup ## one job's script over fresh ticks (TEST_JSON=ohlc-iceberg PROFILE=local|glue5|glue4)
	$(BIN)/python -m tick_pipeline_tests.integration.glue_variant $(or $(TEST_JSON),ohlc-parquet) --profile $(PROFILE)

.PHONY: test-evaluation
test-evaluation: setup ## the live deployment that .env names, from producer to queries (PROFILE= REGION= of the apply); costs cents
	TF_CLI_ARGS_plan="$(TF_VARIABLES)" $(BIN)/python -m pytest -m evaluation tick_pipeline_tests/evaluation/live

.PHONY: bench
bench: setup ## speed and memory against peers, as ratios of one run
	$(BIN)/python -m benchmarks

.PHONY: check
check: lint typecheck definitions workflows tf-check ## lint, types, what Dagster loads, workflows, boundaries
	$(BIN)/lint-imports

.PHONY: lint
lint: .venv/.installed ## ruff: rules and format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

.PHONY: format
format: .venv/.installed ## mend what ruff can mend
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

.PHONY: typecheck
typecheck: .venv/.installed ## pyright, strict
	$(BIN)/pyright

.PHONY: definitions
definitions: .venv/.installed ## load what Dagster loads, as it does
	@mkdir -p .venv/dagster && cp tick_pipeline/orchestration/dagster.yaml .venv/dagster/
	DAGSTER_HOME="$(CURDIR)/.venv/dagster" VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/dg check defs

.PHONY: workflows
workflows: .venv/.installed ## GitHub's files, by their schemas and for what would make them unsafe
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --quiet --offline --persona=pedantic .github

# What looks at the configuration without touching AWS: an offline stand-in of the provider where the real one
# cannot be had, and a folder of its own for what init leaves, so that it never meets the state of an apply.
TERRAFORM_OFFLINE = TF_CLI_CONFIG_FILE="$$(terraform/scripts/terraformrc)" TF_DATA_DIR="$(CURDIR)/.venv/terraform" terraform -chdir=terraform
TERRAFORM = terraform -chdir=terraform
TF_VARIABLES = -var-file=profiles/$(PROFILE).tfvars $(if $(REGION),-var region=$(REGION))

.PHONY: tf-fmt
tf-fmt: ## format terraform/
	$(TERRAFORM) fmt -recursive

.PHONY: tf-validate
tf-validate: ## check terraform/: format, names, types, values
	$(TERRAFORM) fmt -check -diff -recursive
	$(TERRAFORM_OFFLINE) init -backend=false -input=false >/dev/null
	$(TERRAFORM_OFFLINE) validate

.PHONY: tf-check
tf-check: # tf-validate, where Terraform and its provider can be had
	@if ! command -v terraform >/dev/null; then echo "terraform/ is not checked: no terraform on the PATH"; \
	elif ! $(TERRAFORM_OFFLINE) init -backend=false -input=false >/dev/null; then echo "terraform/ is not checked: its provider cannot be had here"; \
	else $(MAKE) --no-print-directory tf-validate; fi

.PHONY: tf-test
tf-test: tf-validate ## the promises of terraform/, with a mocked AWS
	$(TERRAFORM_OFFLINE) test

.PHONY: tf-scan
tf-scan: .venv/.checkov ## checkov over terraform/
	.venv/checkov/bin/checkov -d terraform --config-file terraform/.checkov.yaml

.PHONY: tf-plan
tf-plan: ## what an apply would do (PROFILE=demo|production REGION=)
	$(TERRAFORM) init -input=false
	$(TERRAFORM) plan $(TF_VARIABLES)

.PHONY: tf-apply
tf-apply: .venv/.installed ## build it all on AWS (PROFILE= REGION=); it costs money until tf-destroy
	$(TERRAFORM) init -input=false
	$(TERRAFORM) apply $(TF_VARIABLES)

.PHONY: tf-destroy
tf-destroy: ## take it all away (PROFILE= REGION=)
	$(TERRAFORM) destroy $(TF_VARIABLES)

.PHONY: tf-render
tf-render: .venv/.installed ## what terraform/ reads of the package: views, queries, schema, Spark's configuration
	$(BIN)/python terraform/scripts/render.py

.PHONY: tf-docs
tf-docs: .venv/.installed ## the tables of inputs and outputs in terraform/README.md
	$(BIN)/python terraform/scripts/render_docs.py

.PHONY: env
env: .venv/.installed ## Terraform's outputs as settings, into .env
	$(TERRAFORM) output -json | $(BIN)/python terraform/scripts/write_env.py .env

.PHONY: build-wheel
build-wheel: .venv/.installed ## the package's wheel, into dist/ (Glue's: terraform/scripts/build-wheel)
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

.PHONY: lock
lock: .venv/.installed ## resolve the three lock files anew
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.10 --all-extras --custom-compile-command 'make lock' pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.10 --custom-compile-command 'make lock' tick_pipeline_tests/twin/emulator.in -o tick_pipeline_tests/twin/emulator.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.10 --custom-compile-command 'make lock' terraform/checkov.in -o terraform/checkov.lock

.PHONY: changelog
changelog: .venv/.installed ## print the commits since the last release, a draft for CHANGELOG.md
	@$(BIN)/git-cliff --unreleased --strip all

.PHONY: patch minor major
patch: ## release: the version, its heading in CHANGELOG.md, a commit and a tag
minor: ## the same, for what is new and breaks nothing
major: ## the same, for what breaks something
patch minor major: .venv/.installed
	$(BIN)/bump-my-version bump $@
	@echo "tagged; to release it: git push --follow-tags"

.PHONY: clean
clean: ## remove .venv, build products and caches, never .tick_pipeline (that is: tick-pipeline reset)
	rm -rf .venv dist build .pytest_cache .ruff_cache .hypothesis .coverage
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +
