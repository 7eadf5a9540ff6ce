"""Calls the function in the file that the argument names as Lambda would, once for each JSON line on standard input."""
import contextlib
import io
import json
import sys
import time
import types

scope = {}
with open(sys.argv[1]) as file:
    exec(compile(file.read(), "index.py", "exec"), scope)
limits = scope["LIMITS"]
print(json.dumps({"connect": limits.connect_timeout, "read": limits.read_timeout, "tries": limits.retries["total_max_attempts"],
                  "needed": scope["NEEDED_MS"]}), flush=True)
for line in sys.stdin:
    case = json.loads(line)
    context = types.SimpleNamespace(invoked_function_arn=case["function"], get_remaining_time_in_millis=lambda: case["left"])
    told, error, began = io.StringIO(), "", time.monotonic()
    with contextlib.redirect_stdout(told):
        try:
            scope["handler"](case["event"], context)
        except Exception as e:
            error = f"{type(e).__name__}: {e}"
    print(json.dumps({"told": told.getvalue(), "error": error, "seconds": time.monotonic() - began}), flush=True)
