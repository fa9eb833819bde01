"""A server of a model with OpenAI's API, as a process of its own, for tests.

    python -m tests.unit.agent.engines.openai_server MODEL

It answers /v1/completions with token ids or text, and /v1/chat/completions, whose messages it
joins as they are. Stop strings, ids and log-probabilities are handled as vLLM does: the text ends
before the stop string unless asked for, the ids keep its tokens and what lies past it.
"""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
BASE = ROOT / "models" / "base"
PAST = 2  # tokens that an answer goes on past its stop string, as a batch of steps does


class Served:
    """A server process for the model in a folder."""

    def __init__(self, model: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(model)],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        address = self.process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        self.url = f"{address}/v1"

    def kill(self) -> None:
        """As if the machine had gone."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def served(model: Path) -> Iterator[Served]:
    """A server that is gone afterwards, whatever happens."""
    server = Served(model)
    try:
        yield server
    finally:
        server.kill()


class Batches:
    """Requests that come within some milliseconds are continued together, as servers do."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._waiting: queue.Queue[tuple[list[int], Any, int, Future[Any]]] = queue.Queue()
        threading.Thread(target=self._work, daemon=True).start()

    def ask(self, ids: list[int], sampling: Any, seed: int) -> Any:
        """The output for one context."""
        answer: Future[Any] = Future()
        self._waiting.put((ids, sampling, seed, answer))
        return answer.result()

    def _work(self) -> None:
        while True:
            first = self._waiting.get()
            time.sleep(0.01)
            batch = [first, *(self._waiting.get() for _ in range(self._waiting.qsize()))]
            for sampling in {one[1] for one in batch}:
                same = [one for one in batch if one[1] == sampling]
                contexts, _, seeds, answers = zip(*same, strict=True)
                try:
                    outputs = self._engine.generate(contexts, sampling, seeds)
                except Exception as error:
                    for answer in answers:
                        answer.set_exception(error)
                else:
                    for answer, output in zip(answers, outputs, strict=True):
                        answer.set_result(output)


def application(folder: Path) -> Any:
    """The server's routes."""
    import torch
    from fastapi import FastAPI, HTTPException

    from mem1.agent.engines.base import Sampling
    from mem1.agent.engines.hf import HFEngine
    from mem1.train.model import load_model

    torch.set_num_threads(1)
    model, codec = load_model(folder)
    batches = Batches(HFEngine(model, codec))
    app = FastAPI(openapi_url=None)

    def choice(body: dict[str, Any], ids: list[int]) -> dict[str, Any]:
        if body["model"] != folder.name:
            raise HTTPException(404, f"The model {body['model']} does not exist.")
        sampling = Sampling(body["temperature"], body["max_tokens"], tuple(body["stop"]))
        output = batches.ask(ids, sampling, body["seed"])
        stop = next((s for s in body["stop"] if output.text.endswith(s)), None)
        ended = stop is not None or output.ids[-1] == codec.eos
        text = output.text
        if not body.get("include_stop_str_in_output"):
            text = text.removesuffix(stop or "")
        if output.ids[-1] == codec.eos:
            text = text.removesuffix("<eos>")
        found: dict[str, Any] = {"index": 0, "finish_reason": "stop" if ended else "length"}
        if body.get("return_token_ids"):
            more = codec.encode("and more")[:PAST] if stop else []
            found["token_ids"] = output.ids + more
            found["stop_reason"] = stop
            found["logprobs"] = {"token_logprobs": output.logprobs + [-1.0] * len(more)}
        return {**found, "text": text}

    @app.post("/v1/completions")
    def completions(body: dict[str, Any]) -> dict[str, Any]:
        prompt = body["prompt"]
        ids = codec.encode(prompt) if isinstance(prompt, str) else prompt
        return {"object": "text_completion", "choices": [choice(body, ids)]}

    @app.post("/v1/chat/completions")
    def chat(body: dict[str, Any]) -> dict[str, Any]:
        if [m["role"] for m in body["messages"]] not in (["user"], ["user", "assistant"]):
            raise HTTPException(400, "The roles are others than expected.")
        ids = codec.encode(" ".join(message["content"] for message in body["messages"]))
        found = choice(body, ids)
        message = {"role": "assistant", "content": found.pop("text")}
        return {"object": "chat.completion", "choices": [{**found, "message": message}]}

    return app


if __name__ == "__main__":
    from mem1.retrieval.server import serve

    serve(application(Path(sys.argv[1])), "127.0.0.1", 0, lambda a: print(a, flush=True))
