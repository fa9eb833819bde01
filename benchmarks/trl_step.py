"""One step of reinforcement learning, collection and update, against TRL's GRPOTrainer.

    python -m benchmarks.trl_step --venv FOLDER

TRL has no multi-turn trajectories whose context is pruned (its turns append to one row), so
both do what both can: single turns. The same random model of the shape of ``models/base`` in
fp32, the same prompts, GRPO with clipping and no reference, one optimizer step a step, the
same reward and rate. No output ends early, so both sample the same number of tokens. They
take turns step by step; the first step of each is warm-up and does not count.

``--venv`` is an environment of its own for TRL (``benchmarks/trl-requirements.txt``), made
if it is not there.
"""

import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from benchmarks import common
from benchmarks.trl_ours import VOCABULARY, Ours, words
from mem1 import cli
from mem1.config_files import load
from mem1.config_learning import Optimizer
from mem1.errors import InputError
from mem1.provenance import write_json
from mem1.seeding import array_stream
from mem1.train.model import new_model

REQUIREMENTS = Path(__file__).parent / "trl-requirements.txt"


class Theirs:
    """GRPOTrainer in a process of its own; one line in, one step."""

    def __init__(self, venv: Path, folder: Path) -> None:
        self._process = subprocess.Popen(
            [venv / "bin" / "python", Path(__file__).with_name("trl_side.py"), folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.versions = self._line()

    def step(self) -> dict[str, float]:
        """Let it do one step."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def close(self) -> None:
        """Wait for its end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise InputError("TRL's side ended early: see its message above.")
        return json.loads(line)


def prepare_venv(venv: Path, index: str | None) -> None:
    """Make TRL's environment unless it is there. torch first: an index may have a CPU build.

    Raises:
        InputError: pip failed.
    """
    python = venv / "bin" / "python"
    if python.is_file():
        return
    more = ["--extra-index-url", index] if index else []
    pins = REQUIREMENTS.read_text(encoding="utf-8").split()
    torch_pin = next(pin for pin in pins if pin.startswith("torch=="))
    install: list[str | Path] = [python, "-m", "pip", "install", *more]
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", venv],
        [*install, torch_pin],
        [*install, "-r", REQUIREMENTS],
    ]
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            raise InputError(f"{venv} could not be made (see above): remove it and try again.")


def prepare(folder: Path, arguments: Namespace) -> tuple[PreTrainedModel, list[list[int]]]:
    """Model, tokenizer and settings for the other half; the model and all prompts for this one."""
    shape = load(common.ROOT / "config" / "config.yaml").model
    model = new_model(shape, VOCABULARY, arguments.seed)
    model.save_pretrained(folder)
    # The end token is one more than the model has: it is never sampled.
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words("end"), eos_token="end", pad_token="w0", padding_side="left"
    )
    tokenizer.save_pretrained(folder)
    steps = 1 + arguments.repeats
    shape_of_prompts = (steps * arguments.tasks, arguments.prompt)
    random = array_stream(arguments.seed, "prompts")
    prompts = random.integers(1, VOCABULARY, shape_of_prompts).tolist()
    settings = {k: v for k, v in vars(arguments).items() if k not in ("venv", "output")}
    settings["steps"] = steps
    settings["prompts"] = [" ".join(f"w{token}" for token in prompt) for prompt in prompts]
    write_json(folder / "settings.json", settings)
    return model, prompts


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    parser = cli.parser(__doc__)
    parser.add_argument("--venv", type=Path, required=True, help="TRL's environment")
    parser.add_argument("--torch-index", metavar="URL", help="a further index for PyTorch")
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--prompt", type=int, default=300, help="tokens")
    parser.add_argument("--new-tokens", type=int, default=128, help="tokens of each output")
    parser.add_argument("--trl-batch", type=int, default=32, help="rows of a pass of TRL's update")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--repeats", type=int, default=5, help="steps that count")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file; benchmarks/results/ without it")
    arguments = parser.parse_args(argv)
    if arguments.tasks * arguments.group % arguments.trl_batch:
        raise InputError(f"--trl-batch {arguments.trl_batch} must divide tasks times group.")
    torch.set_num_threads(arguments.threads)
    prepare_venv(arguments.venv, arguments.torch_index)
    rl = load(common.ROOT / "config" / "config.yaml").rl.model_copy(
        update={
            "estimator": "grpo", "tasks": arguments.tasks, "group": arguments.group,
            "minibatches": 1, "kl": 0.0, "packing": "tree",
            "optimizer": Optimizer(
                lr=arguments.lr, weight_decay=0.0, warmup=0, final_lr=1.0, clip=1.0
            ),
        }
    )  # fmt: skip
    steps: dict[str, list[dict[str, float]]] = {"mem1": [], "trl": []}
    with tempfile.TemporaryDirectory() as folder:
        model, prompts = prepare(Path(folder), arguments)
        theirs = Theirs(arguments.venv, Path(folder))
        ours = Ours(model, rl, arguments.new_tokens, arguments.seed)
        for number in range(1 + arguments.repeats):
            own = prompts[number * arguments.tasks : (number + 1) * arguments.tasks]
            seconds, step = common.timed(partial(ours.step, number, own))
            steps["mem1"].append({"seconds": seconds, **step})
            steps["trl"].append(theirs.step())
        theirs.close()
    settings = {
        k: v for k, v in vars(arguments).items() if k not in ("venv", "output", "torch_index")
    }
    results = summary(steps)
    common.write(
        arguments.output, "trl_step", settings, {**results, "trl_versions": theirs.versions}
    )


def summary(steps: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Rates and their ratio over all steps but the first.

    Raises:
        InputError: they did not sample the same number of tokens.
    """
    tokens = {step["tokens"] for each in steps.values() for step in each}
    if len(tokens) != 1:
        raise InputError(f"The steps sampled {sorted(tokens)} tokens: they cannot be compared.")
    rates = {
        name: [step["tokens"] / step["seconds"] for step in each[1:]]
        for name, each in steps.items()
    }
    found: dict[str, Any] = {
        name: {
            "tokens_per_s": common.spread(rate),
            "rewards": [common.significant(step["reward"]) for step in steps[name]],
        }
        for name, rate in rates.items()
    }
    found |= {"tokens": tokens.pop(), "ratio": common.ratio(rates["mem1"], rates["trl"])}
    for name in steps:
        print(f"{name:<5} {found[name]['tokens_per_s']['median']:>7.0f} sampled tokens/s")
    print(f"ratio {found['ratio']['median']:.2f} [{found['ratio']['least']:.2f}, ", end="")
    print(f"{found['ratio']['most']:.2f}]")
    return found


if __name__ == "__main__":
    cli.run(main)
