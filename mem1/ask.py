"""Ask a trained agent, and watch it search.

Inputs: questions, separated by semicolons; the folder of a model, which brings its tokenizer; and
something to search in: what a preset has made (--preset), passages of your own with a BM25 index
(--passages, --index), or a small generated world (--world), for which no other command has to run
first. Without a question, --world asks some of its own and says what is right.
Output, on the screen: at each turn the internal state, the query and what it finds; then the
answers, and the tokens of each turn. Nothing is written.

Departures from the paper: greedy decoding unless --temperature says otherwise.

Examples:
    python -m mem1.ask --world --checkpoint models/base
    python -m mem1.ask --checkpoint results/mini/train/rl-mem1/model \\
        "Who is the mayor of Drexprex Gainstir?; What is the capital of Bethgeind Steixzend?"
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from mem1 import cli
from mem1.config_systems import Policy, PromptFormat
from mem1.errors import InputError

if TYPE_CHECKING:
    from mem1.agent.engines.base import Engine, Output, Sampling
    from mem1.agent.text import Codec
    from mem1.config import Config
    from mem1.envs.base import Environment, Observation, Request
    from mem1.records import Question, Task, Trajectory
    from mem1.retrieval.base import Retriever

WORLD = 8  # entities of each type of a generated world


def main(argv: Sequence[str]) -> None:
    """Ask, print what happens, and say what came of it.

    Raises:
        InputError: there is no question, no model or nothing to search in, or they do not fit.
    """
    args = _arguments(argv)
    config = _config(args.preset)
    if not (args.checkpoint / "config.json").is_file():
        raise InputError(
            f"{args.checkpoint} holds no model: train one with `make reproduce`, or try the base "
            f"model with --checkpoint models/base --world."
        )
    questions = _questions(args.questions)
    retriever, own = _retriever(args, config)
    if not questions and not own:
        raise InputError('Ask something: "question; question", or nothing and --world.')

    import torch
    from transformers.utils import logging

    from mem1.agent import rollout
    from mem1.agent.engines.base import Sampling
    from mem1.agent.engines.hf import HFEngine
    from mem1.agent.formats.catalogue import FORMATS
    from mem1.agent.memory import catalogue
    from mem1.envs.search import SearchEnvironment
    from mem1.records import Task
    from mem1.seeding import stream
    from mem1.train.model import load_checkpoint

    torch.set_num_threads(args.threads)
    logging.disable_progress_bar()
    model, codec = load_checkpoint(args.checkpoint)
    torch.nn.Module.to(model, "cuda" if torch.cuda.is_available() else "cpu")
    if not questions:
        questions = stream(args.seed, "ask").sample(own, args.objectives)
    turns = config.tasks.turns_for(len(questions))
    task = Task(id="asked", split="test", questions=questions, max_turns=turns)
    form = FORMATS[args.prompt or ("mem1" if args.policy == "mem1" else "full")]
    _introduce(task, codec)
    environment = SearchEnvironment(retriever, config.retrieval.k, config.agent, codec)
    told = _Told(HFEngine(model, codec), environment)
    [played] = rollout.rollout(
        [task],
        told,
        catalogue.policy(args.policy, config.agent, codec, form),
        told,
        codec,
        config.agent,
        Sampling(args.temperature, config.agent.max_new_tokens),
        prompt=form,
        system="ask",
        seed=args.seed,
        progress=False,
    )
    if told.turns < len(played.turns):  # what ends a trajectory goes to no environment
        print(f"\nTurn {len(played.turns)}")
        last = form.parse(played.turns[-1].text)
        _say("state", last.state)
        _say(last.kind, last.argument)
    _conclude(played, task)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = cli.parser(__doc__)
    parser.add_argument("questions", nargs="?", default="", help="separated by semicolons")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of a model")
    parser.add_argument("--preset", default="mini", help="limits and passages (default mini)")
    parser.add_argument("--world", action="store_true", help="search in a small generated world")
    parser.add_argument("--passages", type=Path, help="search in these passages (JSONL)")
    parser.add_argument("--index", type=Path, help="BM25 index of --passages; made if not given")
    parser.add_argument("--policy", choices=get_args(Policy), default="mem1", help="its memory")
    parser.add_argument(
        "--prompt", choices=get_args(PromptFormat), help="form (default: mem1, or full for others)"
    )
    parser.add_argument("--objectives", type=int, default=2, help="questions that --world asks")
    parser.add_argument("--temperature", type=float, default=0.0, help="0: greedy (default)")
    parser.add_argument("--seed", type=int, default=0, help="of the world and of sampling")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    return parser.parse_args(argv)


def _config(preset: str) -> "Config":
    """The settings of ``preset``."""
    from mem1 import config_files
    from mem1.dependencies import ROOT

    files = [ROOT / "config" / "config.yaml", ROOT / "config" / f"{preset}.yaml"]
    return config_files.load(*(files[:1] if preset == "mini" else files))


def _questions(text: str) -> "list[Question]":
    """The questions in ``text``; nobody knows their answers."""
    from mem1.agent.protocol import split_answers
    from mem1.records import Question

    parts = [part for part in split_answers(text) if part]
    return [
        Question(id=f"asked-{number}", text=part, golds=[], source="asked")
        for number, part in enumerate(parts, start=1)
    ]


def _retriever(args: argparse.Namespace, config: "Config") -> "tuple[Retriever, list[Question]]":
    """What is searched in, and the questions of a generated world."""
    from mem1.records import Passage, read_jsonl
    from mem1.retrieval import bm25

    if args.world:
        from mem1.tasks import atlas

        settings = config.world.model_copy(update={"entities_per_type": WORLD})
        world = atlas.generate(settings, args.seed, "ask")
        if not 1 <= args.objectives <= len(world.questions):
            raise InputError(f"--objectives is from 1 to {len(world.questions)} in this world.")
        return bm25.in_memory(world.passages, config.retrieval), world.questions
    if args.passages is not None and args.index is None:
        passages: list[Passage] = read_jsonl(args.passages, Passage)
        return bm25.in_memory(passages, config.retrieval), []
    if args.passages is not None:
        return bm25.load(args.index, args.passages), []
    return _of_preset(args, config), []


def _of_preset(args: argparse.Namespace, config: "Config") -> "Retriever":
    """The retriever over what the preset has made for its tests."""
    from mem1.retrieval.open import open_retriever

    made = Path("results", args.preset)
    part = "corpus" if config.sources.kind == "hub" else "test"
    index, passages = made / "index" / part, made / "world" / part / "passages.jsonl"
    settings = config.retrieval.used().at("test")
    if not passages.is_file() or (settings.searches_index and not index.is_dir()):
        raise InputError(
            f"{made} holds no passages with an index: run `make reproduce`, name --passages, or "
            f"search in a small generated world with --world."
        )
    return open_retriever(settings.model_copy(update={"cache": "off"}), index, passages)


class _Told:
    """An engine and an environment that say on the screen what goes through them."""

    def __init__(self, engine: "Engine", environment: "Environment") -> None:
        self._engine = engine
        self._environment = environment
        self.turns = 0  # that the environment has seen
        self._text = ""  # what the model said last

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: "Sampling", seeds: Sequence[int]
    ) -> "list[Output]":
        """Continue the one context that there is."""
        [output] = self._engine.generate(contexts, sampling, seeds)
        self._text = output.text
        return [output]

    def begin(self, task: "Task") -> object:
        """Where the environment starts."""
        return self._environment.begin(task)

    def step(self, requests: "Sequence[Request]") -> "list[Observation]":
        """Answer the one request that there is."""
        self.turns += 1
        [action] = [request.action for request in requests]
        print(f"\nTurn {self.turns}")
        if action.kind == "malformed":
            _say("malformed", f"{self._text} ({action.argument})")
        else:
            _say("state", action.state)
            _say("query", action.argument)
        [observation] = self._environment.step(requests)
        _say("info", observation.text)
        return [observation]


def _say(what: str, text: str) -> None:
    print(f"  {what:<10}{' '.join(text.split())}", flush=True)


def _introduce(task: "Task", codec: "Codec") -> None:
    """Print the questions, and which of their words the tokenizer does not know."""
    for number, question in enumerate(task.questions, start=1):
        print(f"Q{number}: {question.text}")
    unknown = codec.backend.token_to_id("<unk>")
    words = dict.fromkeys(word for question in task.questions for word in question.text.split())
    strange = [word for word in words if unknown is not None and unknown in codec.encode(word)]
    if strange:
        print(f"Words that the model does not know: {' '.join(strange)}", flush=True)


def _conclude(played: "Trajectory", task: "Task") -> None:
    """Print the answers, and the tokens of each turn."""
    if played.end != "answered":
        print(f"\nNo answer: the trajectory ended with {played.end!r}.")
    print()
    for number, answer in enumerate(played.answers, start=1):
        golds = task.questions[number - 1].golds if number <= len(task.questions) else []
        print(f"A{number}: {answer}" + (f"    (right: {golds[0]})" if golds else ""))
    print("\n turn  context  output")
    for number, turn in enumerate(played.turns, start=1):
        print(f"{number:>5}  {len(turn.context):>7}  {len(turn.output):>6}")
    peak = max(len(turn.context) + len(turn.output) for turn in played.turns)
    whole = len(played.prompt) + sum(len(turn.output + turn.info) for turn in played.turns)
    print(f"Peak: {peak} tokens. The whole history has {whole}.")


if __name__ == "__main__":
    cli.run(main)
