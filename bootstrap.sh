#!/bin/sh
# bootstrap.sh [setup | test [PYTEST ARGUMENTS] | COMMAND ...]: from a bare machine to a running memem.
# No argument: the MCP server over stdio. setup: install the locked dependencies. test: run the tests. Anything else:
# the command line, `bootstrap.sh demo` first of all; `uninstall` works without any of it. It only looks for a Python; memem/bootstrap.py does the rest.
#
# Exit codes, each with a line on stderr and in bootstrap.log that names the fix:
#   10 no Python 3.11 or newer, and none could be installed
#   11 uv is missing and could not be fetched
#   12 the dependencies could not be installed
#   13 the state folder cannot be used
#   14 the vault cannot be used, or is not there any more
#   15 HOME is not set
# Variables: MEMEM_DIR, MEMEM_OBSIDIAN_VAULT, MEMEM_PYTHON (the interpreter to use), MEMEM_SKIP_SYNC=1.
: "${PATH:=/usr/local/bin:/usr/bin:/bin}"
export PATH

fail() { # CODE WHAT FIX
    printf 'memem: %s\nfix: %s\n' "$2" "$3" >&2
    [ -z "${state-}" ] || (
        umask 077
        mkdir -p "$state" &&
            printf '%s failed (exit %s): %s. Fix: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2" "$3" >>"$state/bootstrap.log"
    ) 2>/dev/null
    exit "$1"
}

case ${HOME-} in
/*) ;;
*) fail 15 "HOME is not set to a folder, so there is no place for memem's state" "export HOME=<your home folder> and start again" ;;
esac
state=${MEMEM_DIR:-${CORTEX_DIR:-$HOME/.memem}}
# shellcheck disable=SC2088 # a settings file holds the tilde unexpanded, and memem reads it as the home folder
case $state in
'~/'*) state=$HOME/${state#??} ;;
/*) ;;
*) state=$(pwd)/$state ;;
esac

self=$0
case $self in */*) ;; *) self=./$self ;; esac
while [ -L "$self" ]; do # a link to this file, say in ~/.local/bin
    link=$(readlink "$self")
    case $link in /*) self=$link ;; *) self=${self%/*}/$link ;; esac
done
root=$(CDPATH='' cd -- "${self%/*}/" && pwd) || fail 10 "the folder of $0 cannot be entered" "check its permissions"

# A shim answers with the Python behind it, a virtual environment with its base: projects delete their environments.
probe='import os, sys
base = getattr(sys, "_base_executable", None) or sys.executable
path = base if os.access(base, os.X_OK) else sys.executable
print(("new " if sys.version_info >= (3, 11) else "old " if sys.version_info >= (3, 8) else "bad ") + path)'
py='' old='' uv=''
try() { # INTERPRETER: sets py and succeeds if it is fit
    found=$("$1" -I -S -c "$probe" 2>/dev/null </dev/null) || return 1
    case $found in
    'new /'*) py=${found#new } ;;
    'old /'*) old=${old:-${found#old }} && return 1 ;;
    *) return 1 ;;
    esac
}

search_path() { # every Python of the folders on PATH and of the usual places, newest names first
    places=$PATH:$HOME/.local/bin:/opt/homebrew/bin:/usr/local/bin:/opt/local/bin:/usr/bin
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        IFS=:
        for place in $places; do
            unset IFS
            case $place in /*) [ -x "$place/$name" ] || continue ;; *) continue ;; esac
            # Apple's stub opens a window that offers to install developer tools.
            [ "$place" = /usr/bin ] && [ -x /usr/bin/xcode-select ] && ! xcode-select -p >/dev/null 2>&1 && continue
            try "$place/$name" && return
        done
        unset IFS
    done
    for place in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-9]* "$HOME"/.asdf/installs/python/3.1[1-9]* \
        "$HOME"/.local/share/mise/installs/python/3.1[1-9]* "$HOME"/.local/share/uv/python/cpython-3.1[1-9]* \
        /Library/Frameworks/Python.framework/Versions/3.1[1-9]* "$state"/env/python/cpython-3.1[1-9]*; do
        [ -x "$place/bin/python3" ] && try "$place/bin/python3" && return
    done
    return 1
}

install_python() { # with uv; fetched by an old Python when it is missing
    for place in "$(command -v uv)" "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv" "$state"/env/uv-*/uv; do
        [ -x "$place" ] && "$place" --version >/dev/null 2>&1 </dev/null && uv=$place && break
    done
    [ -n "$uv" ] || [ -z "$old" ] || uv=$("$old" -I -S "$root/memem/fetch_uv.py" "$root/uv.lock" "$state/env" </dev/null) ||
        fail 11 "there is no Python 3.11 or newer, and uv, which could install one, could not be fetched" "check the network, or install Python 3.11 or newer"
    [ -n "$uv" ] || return 1
    try "$("$uv" python find --no-project --system '>=3.11' 2>/dev/null </dev/null)" && return
    echo "memem: no Python 3.11 or newer here; installing one with $uv" >&2
    UV_PYTHON_INSTALL_DIR=$state/env/python
    export UV_PYTHON_INSTALL_DIR
    "$uv" python install --no-bin 3.12 >&2 </dev/null || # behind a company's own certificate authority:
        UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1 "$uv" python install --no-bin 3.12 >&2 </dev/null
    try "$("$uv" python find --no-project --managed-python 3.12 2>/dev/null </dev/null)"
}

remembered() { # sets py to the interpreter of the last start, if it still is one
    { [ -r "$state/hook.conf" ] && IFS= read -r known <"$state/hook.conf" && [ -x "$known" ]; } || return
    # Asking it takes as long as the server's own start. So the server, but no command, takes the answer that it gave
    # since it was installed, on this machine: another one that shares the state folder may have something else there.
    asked=$state/.python-asked id='' host='' answer=''
    IFS= read -r id </etc/machine-id
    IFS= read -r host </proc/sys/kernel/hostname
    # shellcheck disable=SC3013 # no POSIX, but every shell that is /bin/sh somewhere
    [ "$1" = 0 ] && [ -n "$host" ] && [ "$asked" -nt "$known" ] && IFS= read -r answer <"$asked"
    if [ "$answer" = "$id $host $known" ]; then
        py=$known
    elif try "$known" && [ -n "$host" ]; then
        (umask 077 && printf '%s\n' "$id $host $py" >"$asked")
    fi
} 2>/dev/null

[ -n "${MEMEM_PYTHON-}" ] && ! try "$MEMEM_PYTHON" && echo "memem: MEMEM_PYTHON=$MEMEM_PYTHON is no Python 3.11 or newer; looking for another" >&2
[ -n "$py" ] || remembered "$#"
cache=-Xpycache_prefix=$state/pycache
[ "${1-}" != uninstall ] || cache=-B # which leaves nothing behind, and installs no Python to remove memem with
[ -n "$py" ] || search_path || { [ "$cache" != -B ] && install_python; } ||
    fail 10 "no Python 3.11 or newer was found" "install one (apt install python3, brew install python, or uv python install 3.12), or set MEMEM_PYTHON to its path"

# Python would make it as open as the umask allows; a folder that is closed closes what is in it.
[ "$cache" = -B ] || [ -d "$state/pycache" ] || (umask 077 && mkdir -p "$state/pycache") 2>/dev/null

exec "$py" -I -S "$cache" -c 'import sys
sys.path.insert(0, sys.argv[1])
try:
    from memem.bootstrap import main
    main(sys.argv[2:])
except KeyboardInterrupt:
    sys.exit(130)' "$root" "$@"
