"""Runs a program again and again, as forks of one process that has imported what
it needs, and kills each run just before its Nth change of the file system.

Reads lines of JSON {"kill": N or 0, "environ": {}} and answers each with
{"status": exit status or minus the signal, "changes": how many, "out": what it said}.
"""

import gc
import json
import os
import runpy
import signal
import sys
import tempfile

sys.path.insert(0, sys.argv[1])
import archives  # noqa: E402,F401
import fetch  # noqa: E402,F401
import switch  # noqa: E402,F401

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown")


def child(ask, out, counter):
    count = 0

    def hook(event, args):
        nonlocal count
        if event in CHANGES or (event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            count += 1
            os.pwrite(counter, b"%d" % count, 0)
            if count == ask["kill"]:
                os.kill(os.getpid(), signal.SIGKILL)

    os.environ.clear()
    os.environ.update(ask["environ"])
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.addaudithook(hook)
    try:
        runpy.run_path(sys.argv[1], run_name="__main__")
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code or 0)
    os._exit(99)


gc.disable()
gc.freeze()
for line in sys.stdin:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as counter:
        pid = os.fork()
        if pid == 0:
            child(json.loads(line), out.fileno(), counter.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        counter.seek(0)
        out.seek(0)
        answer = {"status": status, "changes": int(counter.read() or b"0"), "out": out.read().decode()}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
