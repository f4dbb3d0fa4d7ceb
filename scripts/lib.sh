# shellcheck shell=bash
# Prepares .venv; sourced by run, test, check and lock. Everything is installed from requirements-dev.lock, by hash.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV=$ROOT/.venv
PYTHON=$VENV/bin/python

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# A name on PATH may be a shim that leads nowhere, so each candidate has to run. None may read the list of the others.
usable() { "$1" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1; }
has_pip() { "$1" -c 'import ensurepip' </dev/null >/dev/null 2>&1 || uv --version </dev/null >/dev/null 2>&1; }
is_optimized() { "$1" "$ROOT/scripts/interpreter.py" </dev/null >/dev/null 2>&1; }

# All that PATH knows of, by name, but for those of .venv itself, which is about to be made anew.
candidates() { { type -ap python3.13 python3.12 python3.11 python3 || :; } | awk -v own="$VENV/" 'index($0, own) != 1'; }

find_python() {
    local candidate found='' wanted
    if [ -n "${MADANG_PYTHON:-}" ]; then
        { usable "$MADANG_PYTHON" && has_pip "$MADANG_PYTHON"; } ||
            die "MADANG_PYTHON=$MADANG_PYTHON is not a Python 3.11 or later with venv and pip"
        command -v "$MADANG_PYTHON"
        return
    fi
    for wanted in is_optimized true; do
        while IFS= read -r candidate; do
            { usable "$candidate" && "$wanted" "$candidate"; } || continue
            found=$candidate
            if has_pip "$candidate"; then printf '%s\n' "$candidate"; return; fi
        done < <(candidates)
    done
    [ -z "$found" ] || die "$found cannot make a virtual environment: install python3-venv (Debian, Ubuntu) or uv"
    die "Python 3.11 or later is missing: install python3, or name one in MADANG_PYTHON"
}

# What has to be equal for .venv to be used as it is. The scripts in .venv/bin hold its path.
interpreter() { printf '%s\n' "$VENV"; "$PYTHON" --version; }
project() { printf '%s\n' "$VENV"; cat "$ROOT/setup.cfg" "$ROOT/pyproject.toml"; }
packages() { cat "$ROOT/requirements-dev.lock"; }

unchanged() { "$1" 2>/dev/null | cmp -s - "$VENV/.$1"; }

# Written last and in one move: an installation that was interrupted has no stamp, and is made again.
stamp() { "$1" >"$VENV/.$1.new" && mv "$VENV/.$1.new" "$VENV/.$1"; }

quietly() {
    "$@" >"$VENV/install.log" 2>&1 && return
    local reason
    # uv names it on this line, pip on the next.
    reason=$(grep -iEA1 'hash mismatch|not match the hashes' "$VENV/install.log" | grep -oE '[A-Za-z0-9._-]+==[^` ]+') &&
        die "This is not the package that was locked: ${reason%%$'\n'*} (.venv/install.log)"
    reason=$({ tail -n1 "$VENV/install.log" && grep -iE '^ *(error|×)' "$VENV/install.log"; } | tail -n1) || :
    die "The packages could not be installed, is the network there? (.venv/install.log) $reason"
}

make_venv() {
    local python
    python=$(find_python)
    say "Installing into .venv with $("$python" --version); later starts skip this"
    rm -rf "$VENV"
    if "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        "$python" -m venv "$VENV"
    else
        UV_PYTHON_DOWNLOADS=never uv venv --quiet --python "$python" "$VENV"
    fi
}

# uv needs seconds where pip needs a minute. One that the lock pins comes in when the machine has none.
find_uv() {
    if uv --version >/dev/null 2>&1; then command -v uv; return; fi
    [ -x "$VENV/bin/uv" ] || awk '/^uv==/ {on = 1; print; next} /^[^ ]/ {on = 0} on' "$ROOT/requirements-dev.lock" |
        "$PYTHON" -m pip install --quiet --retries 1 --no-deps --require-hashes -r /dev/stdin >/dev/null 2>&1 || return 0
    [ ! -x "$VENV/bin/uv" ] || printf '%s\n' "$VENV/bin/uv"
}

# Compiled now: the first start is the one that people wait for, and some forbid writing bytecode later.
with_uv() { # UV SUBCOMMAND ARGUMENT...
    local uv=$1
    shift
    (eval "$("$PYTHON" "$ROOT/scripts/uv_settings.py")" && quietly "$uv" pip "$@" --compile-bytecode --python "$PYTHON")
}

with_pip() { quietly "$PYTHON" -m pip "$@" --retries 1; }

install() {
    local uv lock=$ROOT/requirements-dev.lock
    # setuptools is among the packages: building in isolation would ask the network for it.
    local project=(--no-deps --no-build-isolation -e "$ROOT")
    uv=$(find_uv)
    if ! unchanged packages; then
        # A package that was half replaced cannot be told from a whole one: without the stamp all is made anew.
        rm -f "$VENV/.packages"
        # sync also removes what the lock no longer holds.
        if [ -n "$uv" ]; then
            with_uv "$uv" sync --require-hashes "$lock"
        else
            with_pip install --require-hashes -r "$lock"
        fi
    fi
    if [ -n "$uv" ]; then with_uv "$uv" install "${project[@]}"; else with_pip install "${project[@]}"; fi
    stamp project
    stamp packages
}

prepare_unlocked() {
    if ! unchanged interpreter || ! [ -f "$VENV/.packages" ]; then
        make_venv
        stamp interpreter
    fi
    if ! { unchanged packages && unchanged project; }; then install; fi
}

prepare() {
    if command -v flock >/dev/null; then
        (flock 9 && prepare_unlocked) 9<"$ROOT/scripts/lib.sh"
    else
        prepare_unlocked
    fi
}
