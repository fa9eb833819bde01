"""A system of the configuration, opened: tokenizer, engine, memory and what it searches in.

Commands that let a system act share it: evaluate, distill, ask. A model with a tokenizer of its
own (a published checkpoint, a served model) brings it; all others have that of the preset.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mem1 import cli
from mem1.config_systems import LOADED
from mem1.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mem1.agent.context import ContextPolicy
    from mem1.agent.engines.base import Engine
    from mem1.agent.formats.base import Format
    from mem1.agent.settings import EvaluationRun
    from mem1.agent.text import Codec
    from mem1.config_vllm import Vllm
    from mem1.envs.base import Environment
    from mem1.records import Task, Trajectory
    from mem1.retrieval.base import Retriever


@dataclass(frozen=True)
class System:
    """What acts, on the tasks it was opened for."""

    codec: "Codec"
    form: "Format"
    engine: "Engine"
    policy: "ContextPolicy"
    retriever: "Retriever | None"  # what the environment searches in; None in a shop
    environment: "Environment"
    batch: int  # trajectories run together
    inputs: list[Path]  # files and folders that decide what it does
    facts: dict[str, Any] = field(default_factory=dict)  # what does so and is in no file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of commands that open a system."""
    parser.add_argument("--passages", type=Path, help="passages (JSONL), for questions")
    parser.add_argument("--goals", type=Path, help="goals of the shop (JSON), for WebShop")
    cli.add_retrieval(parser)
    parser.add_argument("--model", type=Path, help="folder of the weights, where it has one")
    parser.add_argument("--tokenizer", type=Path, help="folder, for what brings no tokenizer")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")


@contextmanager
def opened(
    run: "EvaluationRun", name: str, tasks: "Sequence[Task]", arguments: argparse.Namespace
) -> "Iterator[System]":
    """The system ``name``, as its frozen section and ``arguments`` say, ready for ``tasks``.

    Raises:
        InputError: an argument is missing or does not belong to this engine, a file is missing or
            damaged, or the model cannot be had.
    """
    from mem1.agent import context, text
    from mem1.agent.formats.catalogue import FORMATS
    from mem1.agent.memory import catalogue
    from mem1.envs.search import SearchEnvironment
    from mem1.provenance import read_json

    if (run.engine in LOADED and run.hub is None) != (arguments.model is not None):
        raise InputError(
            f"System {name} has the engine {run.engine}"
            + (" and a name on the Hub: " if run.hub else ": ")
            + ("name its model with --model." if arguments.model is None else "leave --model out.")
        )
    if run.engine == "oracle-reader" and arguments.tokenizer is None:
        raise InputError(f"System {name} brings no tokenizer: name one with --tokenizer.")
    needed = "goals" if run.shop is not None else "passages"
    if getattr(arguments, needed, None) is None:
        raise InputError(f"System {name} needs --{needed}: name the file.")
    folder = _folder(run, name, arguments)
    form = FORMATS[run.prompt]
    with ExitStack() as stack:
        retriever, facts = None, dict[str, Any]()
        if run.shop is None:
            retriever, facts = _retriever(run, arguments, stack)
        model = None
        if run.engine == "hf":
            model, codec = _load(folder, arguments)
        elif run.engine in LOADED:
            codec = _own_codec(folder, arguments)
        else:  # a server that only chats marks messages itself
            chats = run.server is not None and run.server.api == "chat"
            codec = text.load_codec(folder, chat=not chats)
        if run.engine in LOADED:
            shape = read_json(folder / "config.json")
            context.check_positions(shape.get("max_position_embeddings"), run.agent)
        policy = catalogue.policy(run.policy, run.agent, codec, form)
        if run.vllm is not None:
            engine, batch = _vllm(run, run.vllm, name, folder, codec, arguments, stack), run.batch
        else:
            engine, batch = _engine(run, tasks, form, codec, policy, model)
        environment: Environment
        if retriever is not None:
            environment = SearchEnvironment(retriever, run.k, run.agent, codec)
        else:
            environment, facts = _shop(run, tasks, codec, arguments)
        yield System(
            codec=codec,
            form=form,
            engine=engine,
            policy=policy,
            retriever=retriever,
            environment=environment,
            batch=batch,
            inputs=_inputs(run, arguments),
            facts={**facts, **policy.facts},
        )


def play(
    system: System,
    run: "EvaluationRun",
    name: str,
    tasks: "Sequence[Task]",
    kept: Path,
    made_from: dict[str, Any],
) -> "list[Trajectory]":
    """The scored trajectories of ``tasks``, in their order.

    Args:
        system: opened for these tasks.
        run: its frozen section.
        name: what the records call it.
        tasks: with names of their own.
        kept: file of the trajectories that an interrupted call had finished; they are not played
            again. The caller removes it when the result lies elsewhere.
        made_from: says what they are made of; a file of something else is refused.

    Raises:
        InputError: a prompt does not fit, or a server fails; one of this command is started again
            first, and the tasks that are not finished begin anew.
    """
    from mem1 import made
    from mem1.agent import continuous, partial, rollout
    from mem1.agent.engines.base import Sampling
    from mem1.agent.engines.vllm.base import Revivable, repeated

    by_id = {task.id: task for task in tasks}
    with partial.Partial(kept, made.without(made_from)) as unfinished:
        done = {trajectory.task_id: trajectory for trajectory in unfinished.done}

        def finish(trajectory: "Trajectory") -> None:
            scored = rollout.scored(trajectory, by_id[trajectory.task_id])
            done[trajectory.task_id] = scored
            unfinished.add(scored)

        def play_the_rest() -> None:
            continuous.rollout(
                [task for task in tasks if task.id not in done],
                system.engine,
                system.policy,
                system.environment,
                system.codec,
                run.agent,
                Sampling(run.temperature, run.agent.max_new_tokens),
                prompt=system.form,
                system=name,
                seed=run.seed,
                batch=system.batch,
                on_done=finish,
            )

        if isinstance(system.engine, Revivable):
            repeated(play_the_rest, system.engine.revive, system.engine.restarts)
        else:
            play_the_rest()
    return [done[task.id] for task in tasks]


def _shop(
    run: "EvaluationRun", tasks: "Sequence[Task]", codec: "Codec", arguments: argparse.Namespace
) -> "tuple[Environment, dict[str, Any]]":
    """The shop that ``tasks`` belong to, and what results depend on in it."""
    from mem1.envs.webshop import opening

    assert run.shop is not None
    found = opening.environment(
        run.shop, arguments.goals, tasks[0].split, run.seed, run.agent, codec
    )
    return found, {"webshop": found.shop.record}


def _retriever(
    run: "EvaluationRun", arguments: argparse.Namespace, stack: ExitStack
) -> "tuple[Retriever, dict[str, Any]]":
    """What is searched, and how the manifest names it where no file does."""
    if run.stand_in is None:
        from mem1.retrieval.open import open_for

        retriever = open_for(arguments, run.retrieval, arguments.passages)
        return retriever, {} if run.searches_index else {"retriever": retriever.digest}
    from mem1.retrieval.stand_in import web_stand_in

    if arguments.index is None:
        raise InputError("The stand-in for the web searches an index: name it with --index.")
    server = web_stand_in(
        run.stand_in, run.k, arguments.passages, arguments.index, arguments.threads
    )
    return stack.enter_context(server), {"web": "stand-in"}


def _folder(run: "EvaluationRun", name: str, arguments: argparse.Namespace) -> Path:
    """Where the weights with their tokenizer are, or the tokenizer of a system without weights."""
    from mem1.agent import published

    if run.hub is not None:
        where = f"systems.{name}.model"
        return published.locate(run.hub.name, run.hub.revision, published.MODEL, where)
    if run.server is not None:
        source = run.server.tokenizer, run.server.revision
        where = f"systems.{name}.server.tokenizer"
        return published.locate(*source, published.TOKENIZER, where)
    return arguments.model if run.engine in LOADED else arguments.tokenizer


def _inputs(run: "EvaluationRun", arguments: argparse.Namespace) -> list[Path]:
    """The files and folders behind a system; what is on the Hub is pinned by its commit."""
    from mem1.agent import text
    from mem1.retrieval.bm25 import MANIFEST  # every index has one

    if run.shop is not None:
        from mem1.envs.webshop import opening

        found = [arguments.goals, *opening.files(run.shop)]
    else:
        found = [arguments.passages]
        found += [arguments.index / MANIFEST] if run.searches_index else []
    found += [arguments.model] if arguments.model else []
    if run.server is not None and run.server.revision is None:
        found += text.files(Path(run.server.tokenizer))
    elif arguments.tokenizer is not None:
        found += text.files(arguments.tokenizer)
    return found


def _load(folder: Path, arguments: argparse.Namespace) -> "tuple[PreTrainedModel, Codec]":
    """The weights and their tokenizer, which is the one given, if one is."""
    import torch

    from mem1.train.model import load_checkpoint

    torch.set_num_threads(arguments.threads)
    model, codec = load_checkpoint(folder)
    _check_tokenizer(folder, codec, arguments)
    torch.nn.Module.to(model, "cuda" if torch.cuda.is_available() else "cpu")
    return model, codec


def _own_codec(folder: Path, arguments: argparse.Namespace) -> "Codec":
    """The tokenizer in the folder of a model, whose weights are those that were saved."""
    from mem1.agent import text
    from mem1.train.model import verify

    verify(folder)
    codec = text.load_codec(folder)
    _check_tokenizer(folder, codec, arguments)
    return codec


def _check_tokenizer(folder: Path, codec: "Codec", arguments: argparse.Namespace) -> None:
    """Refuse a tokenizer that is given and is not the model's."""
    from mem1.agent import text

    if arguments.tokenizer is None:
        return
    if text.load_codec(arguments.tokenizer).backend.to_str() != codec.backend.to_str():
        raise InputError(
            f"{folder} was trained with another tokenizer than the one given: train it again, "
            f"or name its own tokenizer."
        )


def _vllm(
    run: "EvaluationRun",
    settings: "Vllm",
    name: str,
    folder: Path,
    codec: "Codec",
    arguments: argparse.Namespace,
    stack: ExitStack,
) -> "Engine":
    """vLLM with the weights in ``folder``, in process or as a server that ends with ``stack``."""
    from mem1.agent.engines.vllm import opening

    output = getattr(arguments, "output", None)
    return stack.enter_context(
        opening.opened(
            settings,
            folder,
            codec,
            served=run.engine == "vllm-server",
            max_tokens=run.agent.max_context,
            temperature=run.temperature,
            threads=arguments.threads,
            name=name if output is None else f"{name}-{output.stem}",
            beside=output,
        )
    )


def _engine(
    run: "EvaluationRun",
    tasks: "Sequence[Task]",
    form: "Format",
    codec: "Codec",
    policy: "ContextPolicy",
    model: "PreTrainedModel | None",
) -> "tuple[Engine, int]":
    """The engine of the system, and how many trajectories it should run together."""
    prompts = [form.prompt(task, codec) for task in tasks]
    if run.server is not None:
        from mem1.agent.engines.http import HTTPEngine

        return HTTPEngine(run.server, codec, prompts), run.batch
    if model is None:
        from mem1.agent.engines.oracle_reader import OracleReader

        return OracleReader(tasks, run.prompt, codec), run.batch
    from mem1.agent.engines.hf import HFEngine

    engine = HFEngine(model, codec, max_rows=run.batch, **_room(model))
    # A history that is not kept from turn to turn is computed anew each time.
    sizes = zip(prompts, tasks, strict=True)
    longest = max(policy.longest(len(prompt), task.max_turns) for prompt, task in sizes)
    return engine, min(run.batch, engine.rows_kept(longest))


def _room(model: "PreTrainedModel") -> dict[str, int]:
    """Memory for keys and values, where a GPU has more of it than the engine would take."""
    if model.device.type != "cuda":
        return {}
    import torch

    free, _ = torch.cuda.mem_get_info()
    return {"group_bytes": free // 4, "reuse_bytes": free // 4}
