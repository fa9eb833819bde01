#!/usr/bin/env python3
"""Stands in for the Python of an environment with vLLM: its processes, none of its numbers.

It starts a child that starts a child, and answers the first questions that a server of vLLM is
asked. PRETEND in the environment lets it fail (quiet: and say nothing), never answer, or have
children deaf to SIGTERM.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

PRETEND = os.environ.get("PRETEND")
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if PRETEND == "deaf" else ""
LAST = f"import signal, time; {DEAF} time.sleep(600)"
CHILD = (
    f"import signal, subprocess, sys, time; {DEAF} "
    f"subprocess.Popen([sys.executable, '-c', {LAST!r}]); time.sleep(600)"
)


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"Bearer {os.environ['VLLM_API_KEY']}"
        body = {"version": "0.32.0"} if self.path == "/version" else {"data": []}
        self.send_response(200 if known or self.path == "/version" else 401)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *arguments: object) -> None:
        pass


def main() -> None:
    subprocess.Popen([sys.executable, "-c", CHILD])
    if PRETEND == "fail":
        time.sleep(0.3)
        print("INFO: loading\nValueError: no room for a single block\nand more", flush=True)
        sys.exit(1)
    if PRETEND == "quiet":
        sys.exit(1)
    if PRETEND == "sleep":
        time.sleep(600)
    if DEAF:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    port = int(sys.argv[sys.argv.index("--port") + 1])
    print("ready", flush=True)
    HTTPServer(("127.0.0.1", port), Answers).serve_forever()


if __name__ == "__main__":
    main()
