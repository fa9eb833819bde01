"""TRL's half of ``benchmarks.trl_step``: runs in TRL's own environment, knows nothing of mem1.

    python trl_side.py FOLDER

``FOLDER`` holds a model with its tokenizer and ``settings.json``. One JSON line first, with
the versions; then, for each line that comes in, one step of ``GRPOTrainer`` and one line with
its seconds (generation, reward, loss, backward and optimizer), sampled tokens and mean reward.
"""

import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

ANSWERS = sys.stdout
sys.stdout = sys.stderr  # whatever the libraries print is no answer


def answer(value: dict[str, Any]) -> None:
    """One line for the other half."""
    print(json.dumps(value), file=ANSWERS, flush=True)


class Clock(TrainerCallback):
    """Waits for a line before each step and answers after it."""

    def __init__(self) -> None:
        self.tokens = 0
        self.rewards: list[float] = []
        self._now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
        self._start = 0.0

    def reward(self, completion_ids: list[list[int]], **_: Any) -> list[float]:
        """The share of even ids, and what was sampled."""
        self.tokens = sum(map(len, completion_ids))
        self.rewards = [sum(i % 2 == 0 for i in ids) / len(ids) for ids in completion_ids]
        return self.rewards

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Before anything is generated."""
        if not sys.stdin.readline():
            raise SystemExit("the other half has ended")
        self._start = self._now()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """After the optimizer."""
        seconds = self._now() - self._start
        mean = sum(self.rewards) / len(self.rewards)
        answer({"seconds": seconds, "tokens": self.tokens, "reward": mean})


def main(folder: Path) -> None:
    """Train until all steps are done."""
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    torch.set_num_threads(settings["threads"])
    rows = settings["tasks"] * settings["group"]
    parts = rows // settings["trl_batch"]
    clock = Clock()
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True
        ),
        reward_funcs=[clock.reward],
        args=GRPOConfig(
            output_dir=str(folder / "trl"),
            per_device_train_batch_size=settings["trl_batch"],
            gradient_accumulation_steps=parts,
            steps_per_generation=parts,
            num_generations=settings["group"],
            max_completion_length=settings["new_tokens"],
            temperature=1.0,
            beta=0.0,
            epsilon=0.2,
            max_steps=settings["steps"],
            learning_rate=settings["lr"],
            lr_scheduler_type="constant",
            max_grad_norm=1.0,
            adam_beta2=0.95,
            shuffle_dataset=False,
            gradient_checkpointing=False,  # as in mem1; TRL's default is slower
            bf16=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            report_to=[],
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
            seed=settings["seed"],
        ),
        train_dataset=Dataset.from_dict({"prompt": settings["prompts"]}),
        processing_class=PreTrainedTokenizerFast.from_pretrained(folder),
        callbacks=[clock],
    )
    answer(
        {
            "trl": trl.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        }
    )
    trainer.train()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
