# `just check` is what .ci/run runs in its clean copy. Recipes use the environment of `just install`.

export PATH := justfile_directory() / ".venv/bin" + ":" + env("PATH")

# list the recipes
default:
    @just --list

# make the development environment
install:
    python3 -m venv .venv
    pip install --requirement requirements-dev.txt --editable .

# everything a change has to pass
check: lint types floors generated test

# style, and formatting as `just fmt` leaves it
lint:
    ruff check .
    ruff format --check .

types:
    mypy

# a floor imports only floors below it
floors:
    lint-imports

# whether the generated files are those the code makes now
generated:
    python -m tests.support.generated --check

# the tests, or some of them: `just test tests/unit`
test *arguments="-n 2":
    pytest {{ arguments }}

# every story of tests/acceptance, where a whole run takes a third of them
stories:
    pytest -n 2 --dist worksteal --stories all

# the long fault and load tests too
slow:
    pytest -n 2 --stories all -m "slow or not slow"

# ours against hand-written flows, in one table
bench:
    python -m tests.benchmarks

# mend what can be mended by itself
fmt:
    ruff check --fix .
    ruff format .

# print the JSON Schema of definitions
schema:
    wfexec schema

# write the generated files
docs:
    python -m tests.support.generated

# docs/coverage.md, from the tests that show what the product promises, all of them run
coverage:
    pytest -n 2 --coverage-document docs/coverage.md $(grep --recursive --files-with-matches --include='test_*.py' 'mark.shows(' tests)

# whether tests fail when the feature of a row is taken away: some rows, or those that are named
trial *rows:
    python -m tests.support.product.trial {{ rows }}

# the pictures in the documentation, taken of Prefect's pages while the browser tests run
screenshots:
    WFEXEC_SCREENSHOTS={{ justfile_directory() }}/docs/images pytest tests/acceptance/browser

# resolve the dependencies anew: uv.lock, and requirements-dev.txt from it
lock *arguments:
    uv lock {{ arguments }}
    uv export --frozen --quiet --extra server --extra terraform --extra scan --no-hashes --no-emit-project --no-annotate --output-file requirements-dev.txt
