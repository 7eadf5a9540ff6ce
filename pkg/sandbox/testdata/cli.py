"""Runs AWS CLI commands, one JSON list of words a line, in one process: the
same driver as the command aws, without starting Python for each."""
import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver


class Output(io.TextIOWrapper):
    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self):
        return self.buffer.getvalue().decode("utf-8", "replace")


driver = create_clidriver()
for line in sys.stdin:
    out = Output()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = driver.main(json.loads(line))
        except SystemExit as e:
            code = e.code
    print(json.dumps({"code": code or 0, "out": out.text()}), flush=True)
