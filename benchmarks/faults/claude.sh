#!/bin/sh
# A fake of Claude Code's client: thinks for FAKE_SECONDS, then finds nothing. It notes when its calls begin and end;
# with FAKE_STUBBORN it leaves a grandchild in a session of its own, and half of the time it does not hear TERM.
if [ "$1" = --version ]; then echo "2.1.0 (Claude Code)"; exit 0; fi
if [ -n "$FAKE_STUBBORN" ]; then
    (setsid sleep 600 >/dev/null 2>&1 </dev/null &)
    [ $(($$ % 2)) = 0 ] && trap '' TERM
fi
cat >/dev/null
echo "$(date +%s.%N) +" >>"$HOME/calls"
sleep "$FAKE_SECONDS" &
wait $!
[ -n "$FAKE_STUBBORN" ] && while :; do sleep 1; done
echo "$(date +%s.%N) -" >>"$HOME/calls"
nothing='"investigated": [], "learned": [], "completed": [], "next_steps": []'
cat <<END
{"type": "result", "subtype": "success", "is_error": false, "session_id": "1", "total_cost_usd": 0.0001, "usage": {"input_tokens": 100, "output_tokens": 10}, "modelUsage": {"claude-haiku": {}}, "structured_output": {"lessons": [], "summary": {$nothing}}}
END
