"""Train the base model from nothing: the committed model that the trainings of `mini` start from.

Inputs: the frozen ``base`` section. Outputs: a folder with weights, tokenizer, metrics and
manifest. Needs hours on two cores; interrupted, it goes on from its newest checkpoint.
Stands in for the pretrained model of the paper (see ``train.base``).
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli
from mem1.stages import BaseRun


def main(argv: Sequence[str]) -> None:
    """Train, or go on training, the base model."""
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen base section")
    parser.add_argument("--checkpoint-dir", type=Path, required=True)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    arguments = parser.parse_args(argv)
    run = cli.read_section(arguments.config, BaseRun)

    from tempfile import TemporaryDirectory

    import torch

    from mem1 import manifest
    from mem1.agent.text import Codec
    from mem1.provenance import json_digest, write_json
    from mem1.records import write_jsonl
    from mem1.tasks import tokenizer
    from mem1.tracking import Live
    from mem1.train import base, session
    from mem1.train.checkpoint import Checkpoints
    from mem1.train.model import WEIGHTS, new_model, save_model
    from mem1.train.trainee import PlainTrainee

    torch.set_num_threads(arguments.threads)
    codec = Codec(tokenizer.word_level())
    model = new_model(run.model, codec.size, run.base.seed)
    trainee = PlainTrainee(
        model, base.optimizers(model, run.base.optimizer, run.base.muon_lr), run.base.optimizer.clip
    )
    training = base.BaseTraining(run, trainee, codec)
    metrics = session.train(
        "base",
        run.base.steps,
        training.step,
        trainee,
        Checkpoints(arguments.checkpoint_dir, {"configuration": json_digest(run.model_dump())}),
        run.base.checkpoint_every,
        lambda step: Live(),
    )
    folder: Path = arguments.output_dir
    with TemporaryDirectory() as temporary:
        tokenizer.save(codec.backend, Path(temporary, "tokenizer"))
        save_model(model, Path(temporary, "tokenizer"), folder)
    write_jsonl(folder / session.METRICS, base.curve(metrics))
    outputs = {name: folder / name for name in (WEIGHTS, session.METRICS)}
    write_json(
        folder / "manifest.json", manifest.describe("train_base", arguments.config, [], outputs)
    )


if __name__ == "__main__":
    cli.run(main)
