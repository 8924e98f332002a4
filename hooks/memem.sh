#!/bin/sh
# memem.sh EVENT: runs memem.hook with the interpreter that the bootstrap wrote down. It exits 0 whatever happens,
# because a hook that fails can block the prompt; and it starts no process but Python, because every prompt pays.
[ -z "${MEMEM_MINER-}${MEMEM_HOOK_DISABLE-}" ] || exit 0
umask 077
: "${PATH:=/usr/local/bin:/usr/bin:/bin}"
export PATH
event=${1-} py='' cache=-B
root=${0%/*}
root=${root%/*}

state=${MEMEM_DIR:-${CORTEX_DIR:-${HOME:+$HOME/.memem}}}
# shellcheck disable=SC2088 # a settings file holds the tilde unexpanded, and memem reads it as the home folder
case $state in '~/'*) state=${HOME-}/${state#??} ;; esac
case $event in Stop | PreCompact | SessionEnd) # they only matter to a miner that was started
    [ -n "$state" ] && [ -f "$state/.miner-opted-in" ] || exit 0 ;;
esac
if [ "$event" = PreToolUse ]; then # every file that is read pays for this, so it ends here unless it is switched on
    gating=${MEMEM_PRETOOL_GATING-}
    if [ -z "$gating" ] && [ -n "$state" ] && [ -f "$state/hook.conf" ]; then
        while IFS= read -r line; do
            case $line in pretool_gating=*) gating=${line#*=} ;; esac
        done 2>/dev/null <"$state/hook.conf"
    fi
    case $gating in '' | 0 | no | off | false | False) exit 0 ;; esac
fi
if [ -n "$state" ]; then
    [ -f "$state/hook.conf" ] && IFS= read -r py 2>/dev/null <"$state/hook.conf"
    cache=-Xpycache_prefix=$state/pycache # the plugin folder may be read-only, or shared by several Pythons
fi

hook='import sys
if sys.version_info < (3, 11): sys.exit(3)
sys.path.insert(0, sys.argv[1])
from memem.hook import main
main(sys.argv[2])'
detached='import os, sys
if sys.version_info < (3, 11): sys.exit(3)
try: os.setsid()
except OSError: pass
sys.path.insert(0, sys.argv[1])
from memem.install import use_environment
from memem.config import load
use_environment(load())
'
sync=$detached'from memem.app import Memem # not the command line, which needs a dependency that may still be missing
memem = Memem()
memem.sync()
from memem.daemon.entry import ensure
ensure(load())
from memem.graph import catch_up # where nobody waits for it; the rest is made by the next start, or the miner
from time import monotonic
os.nice(10)
until = monotonic() + 30
catch_up(memem, lambda: monotonic() > until)'
note=$detached'from memem.daemon.entry import main
main("note")'

case $event in Stop | PreCompact | SessionEnd)
    exec 3<&0 # a background command gets no other standard input
    (
        for py in "$py" python3 python3.14 python3.13 python3.12 python3.11; do
            [ -n "$py" ] || continue
            "$py" -I -S "$cache" -c "$note" "$root"
            case $? in 3 | 126 | 127) ;; *) exit 0 ;; esac
        done
    ) <&3 >/dev/null 2>&1 &
    exit 0 ;;
esac

for py in "$py" python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$py" ] || continue
    if [ "$event" = SessionStart ]; then # first, so that the hook can wait a moment for what it brings
        "$py" -I -S "$cache" -c "$sync" "$root" </dev/null >/dev/null 2>&1 &
    fi
    "$py" -I -S "$cache" -c "$hook" "$root" "$event" 2>/dev/null
    case $? in 3 | 126 | 127) continue ;; esac # too old, not for this machine, or a shim with nothing behind it
    exit 0
done

if [ "$event" = SessionStart ]; then
    echo '{"hookSpecificOutput":{"hookEventName":"SessionStart","additionalContext":"memem found no Python 3.11 or newer, so no memories are loaded in this session. Its setup may still be fetching one. If this message comes back in the next session, tell the user to install Python 3.11 or newer (apt install python3, brew install python, or uv python install 3.12) and to run /memem:memem-doctor."}}'
fi
exit 0
