#!/bin/sh
# Installs a file of pinned requirements into .venv, which it makes with the first fitting Python.
# usage: deploy/install.sh REQUIREMENTS
set -eu
requirements=$1
UV=uv==0.13.9

fits() {
    "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if ! fits .venv/bin/python; then
    for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if fits "$python"; then
            found=$python
            break
        fi
    done
    if [ -z "${found:-}" ]; then
        echo "Cakewalk needs Python 3.11 or newer with its venv module (on Debian: apt install python3-venv)." >&2
        exit 1
    fi
    echo "Making .venv with $("$found" --version)." >&2
    "$found" -m venv --clear .venv
fi

echo "Installing $requirements." >&2
# uv takes seconds where pip takes a minute; where it cannot be had, or cannot reach the index, pip does it.
.venv/bin/python -m pip install --quiet --disable-pip-version-check "$UV" 2>/dev/null &&
    .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r "$requirements" 2>/dev/null ||
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements"
