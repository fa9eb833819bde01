"""What the training commands share: start, identity, tracker, and the outputs at the end."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from transformers import PreTrainedModel

from mem1 import manifest
from mem1.agent.context import check_positions
from mem1.agent.text import Codec, load_codec
from mem1.dependencies import code_digest
from mem1.errors import InputError
from mem1.provenance import json_digest, write_json
from mem1.records import StepMetrics, write_jsonl
from mem1.seeding import derive
from mem1.stages import ShopRun, TrainingRun
from mem1.tracking import Live
from mem1.train import session
from mem1.train.checkpoint import Checkpoints
from mem1.train.model import load_checkpoint, new_model, save_model
from mem1.train.processes import Processes

SCRATCH = "scratch"


R = TypeVar("R", TrainingRun, ShopRun)


@dataclass
class Job(Generic[R]):
    """One training run from its arguments to its manifest."""

    command: str
    arguments: argparse.Namespace
    inputs: list[Path]
    run: R
    model: PreTrainedModel
    codec: Codec
    tokenizer: Path  # folder
    processes: Processes

    @classmethod
    def prepare(
        cls, command: str, arguments: argparse.Namespace, run: R, inputs: list[Path]
    ) -> "Job[R]":
        """Make or load the model that ``run`` starts from.

        Raises:
            InputError: the start is missing or damaged, or its tokenizer is another one than
                the preset's.
        """
        processes = Processes.started(run.rl.engine if run.rl else "plain")
        torch.set_num_threads(max(1, arguments.threads // processes.count))
        tokenizer: Path | None = getattr(arguments, "tokenizer", None)
        if arguments.start == SCRATCH:
            if isinstance(run, ShopRun) or run.model is None or tokenizer is None:
                raise InputError(f"Run {run.name} cannot start from scratch: give it a model.")
            codec = load_codec(tokenizer)
            model = new_model(run.model, codec.size, derive(run.seed, "model", run.run.seed))
            _place(model, run, processes)
            return cls(command, arguments, inputs, run, model, codec, tokenizer, processes)
        start = Path(arguments.start)
        model, codec = load_checkpoint(start, torch.float32)
        if isinstance(run, ShopRun) and run.run.start == "base" and tokenizer is not None:
            codec = _renamed(model, load_codec(tokenizer), tokenizer)
            _place(model, run, processes)
            return cls(
                command, arguments, [start, *inputs], run, model, codec, tokenizer, processes
            )
        if tokenizer is not None:
            expected = load_codec(tokenizer).backend.get_vocab(with_added_tokens=True)
            if codec.backend.get_vocab(with_added_tokens=True) != expected:
                raise InputError(
                    f"{start} was trained with another tokenizer than {tokenizer}: train the "
                    f"model again, or restore the tokenizer it was made with."
                )
        _place(model, run, processes)
        return cls(command, arguments, [start, *inputs], run, model, codec, start, processes)

    def train(
        self,
        steps: int,
        step: Callable[[int], dict[str, float]],
        trainee: session.Resumable,
        every: int,
        finish: Callable[[], None] = lambda: None,
        collapsed: Callable[[Sequence[StepMetrics]], str | None] = lambda metrics: None,
    ) -> None:
        """Run all steps and write the outputs, the manifest last.

        ``finish`` is called before the model is saved.
        """
        arguments = self.arguments
        identity = {
            "configuration": json_digest(self.run.model_dump(mode="json")),
            "input": json_digest([manifest.digest(path) for path in self.inputs]),
            "code": code_digest(self.command),
        }
        checkpoints = Checkpoints(
            arguments.checkpoint_dir, identity, arguments.accept, self.processes
        )

        def live(done: int) -> Live:
            return Live.open(
                arguments.tracking_uri,
                arguments.experiment,
                self.run.name,
                arguments.checkpoint_dir,
                self.run.model_dump(mode="json"),
                done,
            )

        metrics = session.train(
            self.run.name, steps, step, trainee, checkpoints, every, live, collapsed, self.processes
        )
        finish()
        if not self.processes.first:
            return
        folder: Path = arguments.output_dir
        save_model(self.model, self.tokenizer, folder / "model")
        write_jsonl(folder / session.METRICS, metrics)
        outputs = {name: folder / name for name in ("model", session.METRICS)}
        described = manifest.describe(self.command, arguments.config, self.inputs, outputs)
        write_json(folder / "manifest.json", described)


def _place(model: PreTrainedModel, run: TrainingRun | ShopRun, processes: Processes) -> None:
    """Put ``model`` on the device; under ZeRO-3 it goes there in parts (``players``).

    Raises:
        InputError: it has fewer positions than the agent's contexts.
    """
    check_positions(getattr(model.config, "max_position_embeddings", None), run.agent)
    if run.rl is None or run.rl.engine == "plain":
        torch.nn.Module.to(model, processes.device)


def _renamed(model: PreTrainedModel, codec: Codec, tokenizer: Path) -> Codec:
    """``codec``, whose words take the places of those that ``model`` was trained with.

    Raises:
        InputError: it has another number of words.
    """
    if codec.size != model.config.vocab_size:
        raise InputError(
            f"{tokenizer} has {codec.size} tokens and the base model {model.config.vocab_size}: "
            f"make the tokenizer again, or take another base_model."
        )
    return codec
