# Sourced by quickstart and test: makes .venv with the tested versions, or does nothing when it is already there.
# Needs nothing but a Python. Set PYTHON to choose one.

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The first Python that really runs (version managers leave dead shims), is new enough and can make environments.
# 3.11 comes first because the pinned versions were tested with it.
find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3 python /usr/bin/python3; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    die "no Python 3.11 or later with venv and pip was found (Debian, Ubuntu: apt-get install python3 python3-venv);" \
        "or set PYTHON=/path/to/python3.11"
}

# Install "$1" (what follows the folder in pip's notation: "" or "[dev]") into .venv.
prepare() {
    local extras=$1 stamp=.venv/.installed wanted
    if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        local python
        python=$(find_python) || exit 1
        say "making .venv with $("$python" --version 2>&1)"
        "$python" -m venv --clear .venv
    fi
    # Before anything is installed or imported: the import itself would die without a helpful word.
    .venv/bin/python -m emoreason.system >/dev/null || die "install them as root, then run this again"
    wanted=$(.venv/bin/python -c 'import hashlib, sys; print(hashlib.sha256(b"".join(open(f, "rb").read() for f in sys.argv[1:])).hexdigest())' \
        pyproject.toml constraints.txt)$extras
    if grep -qxF -e "$wanted" -e "${wanted%"$extras"}[dev]" "$stamp" 2>/dev/null; then
        say "packages: up to date"
    else
        say "installing the packages at their tested versions (about 2.5 GB on disk, once)"
        .venv/bin/python -m pip install --quiet --quiet --progress-bar off --constraint constraints.txt --editable ".$extras"
        echo "$wanted" > "$stamp"
    fi
}
