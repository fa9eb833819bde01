"""Photographs the views of MLflow that docs/mlflow.md describes, in a headless Chromium.

    python -m tests.mlflow_views --database COPY_OF/mlflow.db --experiment mini --output docs/mlflow

Takes a copy of the database of a finished run: the server that is started may upgrade it.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from PIL import Image

from tests.browser import Browser

PATIENCE = 180.0  # seconds until a view shows what it is about
COLOURS = 128  # of a picture, which is a third of the size then
VIEW = (0, 0, 946, 720)  # of a window of 1280: without the panel of MLflow's assistant
# Paths of this machine and tools of charts are not shown.
TIDY = """(() => {
  for (const e of document.querySelectorAll('*'))
    if (e.children.length < 3 && /^Path: file:/.test(e.textContent)) e.style.visibility = 'hidden';
  const style = document.createElement('style');
  style.textContent = '.modebar { display: none !important }';
  document.head.append(style);
})()"""
QUIET = "document.querySelectorAll('[class*=keleton], [aria-busy=true]').length"


@contextmanager
def served(database: Path) -> Iterator[str]:
    """The address of MLflow over ``database``; it is gone afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "ui", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{database.resolve()}"]
    process = subprocess.Popen(
        command,
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # seven processes less
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def views(client: MlflowClient, experiment: str) -> dict[str, tuple[str, str]]:
    """Name of a picture to its address behind ``/#/`` and a text that stands in it at the end."""
    home = client.get_experiment_by_name(experiment)
    assert home is not None, f"no experiment {experiment}"
    base = f"experiments/{home.experiment_id}"
    runs = {run.info.run_name: run.info.run_id for run in client.search_runs([home.experiment_id])}
    return {
        "runs": (f"{base}/runs", "eval-mem1-rl"),
        "training": (f"{base}/runs/{runs['rl-mem1']}/model-metrics", "reward"),
        "evaluation": (f"{base}/runs/{runs['eval-mem1-rl']}/model-metrics", "peak"),
        "traces": (f"{base}/runs/{runs['eval-mem1-rl']}/traces", "task"),
        "artifacts": (f"{base}/runs/{runs['results']}/artifacts/tables/table1.md", "table1.md"),
    }


def main() -> None:
    """Parse the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--experiment", default="mini")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    wanted = views(MlflowClient(f"sqlite:///{args.database.resolve()}"), args.experiment)
    with (
        TemporaryDirectory() as folder,
        served(args.database) as address,
        Browser(Path(folder), 1280, 720) as browser,
    ):
        browser.resize(1280, 720)
        for name, (place, text) in wanted.items():
            browser.open("about:blank")
            browser.open(f"{address}/#/{place}")
            _settle(browser, text)
            path = args.output / f"{name}.png"
            browser.run(TIDY)
            time.sleep(1.0)
            browser.screenshot(path)
            Image.open(path).convert("RGB").crop(VIEW).quantize(COLOURS).save(path, optimize=True)
            print(path, path.stat().st_size)


def _settle(browser: Browser, text: str) -> None:
    """Wait until ``text`` is there and nothing is loading; the picture says if it never is."""
    deadline = time.monotonic() + PATIENCE
    calm = 0
    while calm < 4 and time.monotonic() < deadline:
        there = browser.run("document.body.innerText.toLowerCase()")
        calm = calm + 1 if text in there and browser.run(QUIET) == 0 else 0
        time.sleep(1.0)


if __name__ == "__main__":
    main()
