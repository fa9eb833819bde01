"""What a preset at full scale takes: disk, memory and GPU hours, from stated assumptions.

Pure functions of the configuration, the table of data sets and ``ASSUMPTIONS``. The dry run of
such a preset prints what they find. Bytes are decimal (1 GB = 10^9). Generation and training are
counted apart, at their own speeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mem1.activations import tree_tokens
from mem1.config import Config
from mem1.config_learning import Rl
from mem1.config_systems import LOADED
from mem1.dependencies import ROOT
from mem1.errors import InputError
from mem1.machines import Machine
from mem1.memory import parts, total
from mem1.memory_report import of_config, prompt_tokens
from mem1.memory_work import PHASES
from mem1.model_shape import shape_of
from mem1.tasks.catalogue import Dataset

GB = 10**9
HOUR = 3600
CHECKPOINT_BYTES = 12  # of a parameter: weights and two moments in fp32 (``train.checkpoint``)


@dataclass(frozen=True)
class Assumption:
    """One number that no file of the repository gives, and whether it was looked up."""

    value: float
    unit: str
    source: str


ASSUMPTIONS: dict[str, Assumption] = {
    "dimensions": Assumption(768, "of a vector", "looked up: E5-base-v2, its model card"),
    "passage_bytes": Assumption(
        670, "B, uncompressed", "looked up: 14 GB for the dump (wiki_dpr in `datasets`)"
    ),
    "passages_per_second": Assumption(
        680,
        "encoded by one GPU",
        "assumed: 150 tokens a passage, 2 FLOP for each of 109M parameters, a third of the 67 "
        "TFLOP/s of an H100 in fp32",
    ),
    "output_tokens": Assumption(200, "of one output", "assumed; the paper's peak is 640 in all"),
    "info_tokens": Assumption(450, "of one observation", "assumed: 3 passages of 100 words"),
    "turns_used": Assumption(1.0, "share of the turn budget", "assumed: all of it"),
    "sampled_per_second": Assumption(500, "tokens by one GPU", "assumed for the engine in process"),
    "sampled_by_vllm": Assumption(2500, "tokens a second by one GPU", "assumed for vLLM"),
    "peak_flops": Assumption(
        989e12, "per second, bf16", "looked up: H100 SXM, 1,979 with sparsity and half without"
    ),
    "mfu": Assumption(0.3, "share of it reached in training", "assumed"),
}


@dataclass(frozen=True)
class Need:
    """What one rule takes; None where it takes next to nothing."""

    rule: str
    disk: float | None = None  # GB
    memory: float | None = None  # GB of the machine, or of each GPU where there are GPU hours
    gpu_hours: float | None = None
    how: str = ""


def flat_index_bytes(passages: int, dimensions: int) -> int:
    """Bytes of an exact index: fp32 vectors."""
    return passages * dimensions * 4


def round_flops(rl: Rl, parameters: float, tokens: float) -> float:
    """FLOP of the updates of one round on ``tokens``.

    2 a parameter and token forward, 4 backward; with checkpointing one more forward. The policy
    is run forward once more where ratios compare with its own log-probabilities and not with those
    of the engine (``train.rl``), the starting policy once where there is a KL penalty; a critic
    gives values once and learns ``passes`` times.
    """
    learning = 6 + 2 * rl.gradient_checkpointing
    own = rl.importance_cap is not None or rl.packing != "tree"
    passes = learning + (2 if own else 0) + (2 if rl.kl else 0)
    if rl.critic is not None and rl.estimator == "ppo":
        passes += 2 + learning * rl.critic.passes
    return passes * parameters * tokens


def needs(config: Config, table: Mapping[str, Dataset], machine: Machine) -> list[Need]:
    """What the rules of ``config`` take, with its trainings on ``machine``.

    Raises:
        InputError: the configuration is not of full scale (sources.kind hub), or nothing is known
            of its model.
    """
    sources = config.sources
    if sources.kind != "hub" or sources.corpus is None:
        raise InputError(
            f"There is nothing to estimate for preset {config.preset}: its sources are of kind "
            f"{sources.kind}, and only kind hub is of a size that matters (config/paper.yaml)."
        )
    a = {name: assumption.value for name, assumption in ASSUMPTIONS.items()}
    corpus = table[sources.corpus]
    passages = min(int(corpus.count), sources.max_passages or int(corpus.count))
    fetched = [table[name] for name in dict.fromkeys([*sources.train, *sources.test])]
    known = [dataset.size for dataset in fetched if isinstance(dataset.size, int)]
    found = [
        Need("import_questions", disk=sum(known) / GB, how="sizes in config/datasets.tsv"),
        Need(
            "import_corpus",
            disk=(int(corpus.size) + passages * a["passage_bytes"]) / GB,
            how="download and JSONL",
        ),
    ]
    if config.retrieval.kind in ("dense", "hybrid"):
        index = flat_index_bytes(passages, int(a["dimensions"])) / GB
        hours = passages / a["passages_per_second"] / HOUR
        found += [
            Need("encode_passages", disk=index, gpu_hours=hours, how="vectors, fp32"),
            Need(
                "build_index",
                disk=index,
                memory=index,
                how="flat index, fp32; memory: of the machine, here and wherever it is searched",
            ),
        ]
    if config.retrieval.kind in ("bm25", "hybrid"):
        words = 3 * passages * a["passage_bytes"] / GB
        found.append(
            Need("build_index", memory=words, how="BM25, three times the passages; of the machine")
        )
    found += [
        _training(config, name, machine, a)
        for name in config.runs
        if config.runs[name].stage == "rl"
    ]
    evaluated = [name for name, system in config.systems.items() if system.horizons != []]
    found += [_evaluation(config, name, a) for name in evaluated]
    return found


def _training(config: Config, name: str, machine: Machine, a: Mapping[str, float]) -> Need:
    run, rl = config.runs[name], config.settings_of(name)
    assert isinstance(rl, Rl)
    horizon = config.tasks.train_horizon
    turns = round(a["turns_used"] * config.tasks.turns_for(horizon))
    output, info = int(a["output_tokens"]), int(a["info_tokens"])
    prompt = prompt_tokens(horizon)
    limit = config.agent.max_context
    tokens = rl.tasks * tree_tokens(run.policy, prompt, output, info, turns, rl.group, limit)
    parameters = _parameters(config)
    update = round_flops(rl, parameters, tokens) / (a["peak_flops"] * a["mfu"])
    speed = a["sampled_per_second" if rl.rollout == "hf" else "sampled_by_vllm"]
    sample = rl.tasks * rl.group * turns * output / speed
    learners = 2 if rl.critic is not None and rl.estimator == "ppo" else 1
    work = of_config(config, name, machine)
    peak = None
    if work is not None:
        found = parts(work)
        peak = max(total(found, phase) for phase in PHASES) / GB
    return Need(
        f"train_rl {name}",
        disk=2 * learners * parameters * CHECKPOINT_BYTES / GB,
        memory=peak,
        gpu_hours=rl.steps * (update + sample) / HOUR,
        how=f"{rl.steps} rounds of {tokens:,} tokens: {update:.0f} s to learn, {sample:.0f} s to "
        f"sample, in hours of one GPU; disk: two checkpoints; memory: of each of "
        f"{machine.processes}, longest outputs and observations",
    )


def _parameters(config: Config) -> int:
    """Parameters of the base model.

    Raises:
        InputError: it is not there and not known, or of an unknown architecture.
    """
    shape = shape_of(ROOT / config.base_model)
    if shape is None:
        raise InputError(
            f"base_model {config.base_model} is not of type qwen2, and nothing is known of its "
            f"size: use a model of that type for a preset of full scale."
        )
    return shape.parameters


def _evaluation(config: Config, name: str, a: Mapping[str, float]) -> Need:
    tasks = config.tasks
    system = config.systems[name]
    horizons = tasks.test_horizons if system.horizons is None else system.horizons
    turns = sum(round(a["turns_used"] * tasks.turns_for(h)) for h in horizons)
    sampled = tasks.test_count * turns * a["output_tokens"]
    in_process = system.engine in LOADED
    speed = a["sampled_per_second" if system.engine == "hf" else "sampled_by_vllm"]
    return Need(
        f"evaluate {name}",
        memory=_parameters(config) * 2 / GB if in_process else None,
        gpu_hours=sampled / speed / HOUR if in_process else None,
        how=f"{tasks.test_count} tasks of each number of objectives, {sampled:,.0f} tokens",
    )


def markdown(found: list[Need]) -> str:
    """``found`` and the assumptions behind it, as two Markdown tables."""

    def cell(value: float | None) -> str:
        return "" if value is None else f"{value:,.1f}"

    lines = ["| rule | disk, GB | memory, GB | GPU hours | how |", "|---|---:|---:|---:|---|"]
    for need in found:
        cells = [cell(need.disk), cell(need.memory), cell(need.gpu_hours)]
        lines.append(f"| {need.rule} | {' | '.join(cells)} | {need.how} |")
    disk = cell(sum(need.disk or 0 for need in found))
    hours = cell(sum(need.gpu_hours or 0 for need in found))
    lines += [f"| **all** | {disk} | | {hours} | |", ""]
    lines += ["| assumption | value | unit | source |", "|---|---:|---|---|"]
    for name, one in ASSUMPTIONS.items():
        lines.append(f"| {name} | {one.value:,g} | {one.unit} | {one.source} |")
    return "\n".join(lines)
