#!/usr/bin/env bash
# Makes .venv from requirements.lock and installs this checkout in it, editable. Safe to run again.
# PYTHON names the interpreter to use; without it the newest of those on PATH is taken.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VENV=.venv
readonly OLDEST="3.11"

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# Asks the interpreter itself: a name on PATH may be a shim for a version that is not installed.
is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

version_of() {
    if command -v "$1" >/dev/null; then "$1" --version 2>&1 | head -n 1; else echo "no such command"; fi
}

find_python() {
    local name
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if is_new_enough "$name"; then
            printf '%s' "$name"
            return
        fi
    done
    if [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON is not a Python $OLDEST or newer: $(version_of "$PYTHON")"
    fi
    fail "no Python $OLDEST or newer found; python3 is: $(version_of python3)" \
        "install one, or name it: make setup PYTHON=/path/to/python3.12"
}

make_venv() {
    local python
    python=$(find_python)
    if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        fail "$python has no venv module; on Debian and Ubuntu: apt-get install python3-venv"
    fi
    say "making $VENV with $("$python" --version)"
    "$python" -m venv --clear "$VENV"
}

# A virtual environment that works is kept; one that is too old, moved or half made is made anew.
if ! is_new_enough "$VENV/bin/python" || ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    make_venv
fi

# -qq: errors are shown; warnings about a machine's own pip settings, one for each package, are not.
# Compiled here: where PYTHONDONTWRITEBYTECODE is set, each of the tests' many processes would compile all it imports.
pip_install() {
    "$VENV/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-deps "$@"
}

say "installing requirements.lock (about a minute the first time)"
pip_install --require-hashes -r requirements.lock
say "installing this checkout, editable"
pip_install --no-build-isolation -e .
say "ready: $("$VENV/bin/python" --version) in $VENV"
