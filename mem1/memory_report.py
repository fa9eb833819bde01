"""What a training needs of each device, as text; what cannot fit is refused in one sentence.

A dry run prints it for the machine that a preset is made for (``machines``), a training for the
devices that it has.
"""

from collections.abc import Callable

from mem1 import batches, memory
from mem1.config import Config
from mem1.config_learning import Rl
from mem1.dependencies import ROOT
from mem1.errors import InputError
from mem1.machines import Machine
from mem1.memory import parts, total
from mem1.memory_work import GIB, PHASES, Work, longest_tree, row_tokens
from mem1.model_shape import ModelShape, shape_of

PROMPT = (400, 30)  # assumed: tokens of a prompt without questions, and of each question


def prompt_tokens(horizon: int) -> int:
    """Tokens of the prompt of a task with ``horizon`` objectives."""
    return PROMPT[0] + horizon * PROMPT[1]


def of_config(config: Config, name: str, machine: Machine) -> Work | None:
    """The RL run ``name`` on ``machine``; None where the model's architecture is not known.

    Raises:
        InputError: the model is not there, and none of those whose shapes are known.
    """
    shape = shape_of(ROOT / config.base_model)
    rl = config.settings_of(name)
    assert isinstance(rl, Rl)
    if shape is None:
        return None
    horizon = config.tasks.train_horizon
    return Work(
        shape=shape,
        rl=rl,
        agent=config.agent,
        policy=config.runs[name].policy,
        turns=config.tasks.turns_for(horizon),
        prompt=prompt_tokens(horizon),
        processes=machine.processes,
        device=machine.device_bytes,
        vllm=None if rl.rollout == "hf" else config.vllm,
    )


def batch_line(name: str, work: Work) -> str:
    """How the trajectories of the run ``name`` are divided, in two sentences.

    Raises:
        InputError: what has to be divided cannot be.
    """
    tree, row = longest_tree(work), row_tokens(work)
    batch = batches.Batches.of(work.rl, work.processes, tree, row)
    least, most = batch.rows_of_process
    return (
        f"Run {name}: {work.rl.tasks} tasks x {work.rl.group} = {batch.trajectories} trajectories "
        f"a round, in {batch.steps} optimizer step(s) of {batch.trajectories_of_step}. Each of "
        f"{work.processes} process(es) has {batch.tasks_of_process} tasks of a step, in {least} "
        f"to {most} rows of at most {row:,} tokens; a task packs into {tree:,} at most."
    )


def table(work: Work) -> str:
    """Memory of each device, part by part, in Markdown."""
    lines = [f"| each device, GiB | {' | '.join(PHASES)} | how |", "|---|---:|---:|---:|---|"]
    found = parts(work)
    for part in found:
        cells = [f"{part.size / GIB:.2f}" if phase in part.phases else "" for phase in PHASES]
        lines.append(f"| {part.name} | {' | '.join(cells)} | {part.how} |")
    sums = [f"**{total(found, phase) / GIB:.2f}**" for phase in PHASES]
    where = "" if work.device is None else f"of {work.device / GIB:.0f}"
    return "\n".join([*lines, f"| **all** | {' | '.join(sums)} | {where} |"])


def check(name: str, work: Work) -> None:
    """Refuse the run ``name`` if it cannot fit; on a CPU nothing is known of the memory.

    Raises:
        InputError: naming the largest part and what makes it smaller.
    """
    if work.device is None:
        return
    found = parts(work)
    phase = max(PHASES, key=lambda phase: total(found, phase))
    need = total(found, phase)
    if need > work.device:
        largest = max((p for p in found if phase in p.phases), key=lambda part: part.size)
        raise InputError(
            f"Run {name} needs {need / GIB:.1f} GiB of each device ({phase}), and a device has "
            f"{work.device / GIB:.1f}: the largest part is {largest.name} with "
            f"{largest.size / GIB:.1f} GiB; use {largest.less}, or larger devices (a dry run is "
            f"told of them by device_gib of train_rl)."
        )
    vllm = work.vllm
    if vllm is not None and vllm.url is None:
        cache = next(part for part in found if part.name == "engine: keys and values")
        if cache.size < memory.token_cache_bytes(work.shape, vllm) * work.agent.max_context:
            raise InputError(
                f"Run {name}: the engine has {cache.size / GIB:.2f} GiB for keys and values, "
                f"less than one sequence of agent.max_context {work.agent.max_context} takes: "
                f"raise vllm.kv_cache_bytes or vllm.gpu_memory, or lower agent.max_context."
            )


def too_large_to_imitate(name: str, shape: ModelShape, device: int | None) -> str | None:
    """Why the run ``name`` of stage sft does not fit a device; None if it does, or on a CPU.

    It is one process with weights, gradients and two moments in fp32; activations are not counted.
    """
    need = 16 * shape.parameters
    if device is None or need <= device:
        return None
    return (
        f"Run {name} learns from demonstrations in one process and needs {need / GIB:.0f} GiB of "
        f"its device (weights, gradients and moments in fp32), and a device has "
        f"{device / GIB:.0f}: give it a larger one, or take it and its systems away (null)."
    )


def check_trainings(config: Config, machine: Machine, say: Callable[[str], None]) -> None:
    """Say batches and memory of all RL runs of ``config`` on ``machine``; a table is said once.

    Of a run of stage sft that does not fit it is said too: its own job may have a larger device.

    Raises:
        InputError: a run does not fit, or cannot be divided.
    """
    said: set[str] = set()
    for name, run in config.runs.items():
        if run.stage == "sft" and machine.device_bytes is not None:
            shape = shape_of(ROOT / config.base_model)
            large = shape and too_large_to_imitate(name, shape, machine.device_bytes)
            if large:
                say("\n" + large)
        work = of_config(config, name, machine) if run.stage == "rl" else None
        if work is None:
            continue
        say("\n" + batch_line(name, work))
        if table(work) not in said:
            said.add(table(work))
            say("\n" + table(work))
        check(name, work)
