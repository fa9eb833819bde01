"""Memory of each device in a reinforcement learning run, from the settings alone.

Pure functions. What is counted is what this code keeps and makes, part by part
(``activations`` has the formulas of passes). A training goes through three phases, and what exists
in one need not exist in another:

    collect   the engine samples trajectories
    learn     forward and backward passes over packed rows
    step      the optimizer's step behind them

Letters: P parameters, D width, L layers, I feed-forward width, V vocabulary, S tokens of a row,
N processes. Bytes throughout; ``value`` is the size of a number in a forward pass (2 or 4).
"""

from mem1.activations import activation_bytes, layer_bytes, logit_bytes
from mem1.config_vllm import Vllm
from mem1.memory_work import GIB, PHASES, Part, Phase, Work, row_tokens
from mem1.model_shape import ModelShape
from mem1.train.limits import CHUNK, REDUCE_BUCKET, ROW_TOKENS

HF_CACHE = (256 + 768) * 2**20  # keys and values of HFEngine: of a group, and kept for reuse
LIVE = 10**9  # parameters that DeepSpeed keeps gathered at most; its defaults, as the next ones
PREFETCH = 5 * 10**7
SUBGROUP = 10**9  # parameters of a process that are stepped together
NUMBER = {"float32": 4, "bfloat16": 2, "float16": 2}  # bytes, by vllm.dtype
RESERVE = GIB  # assumed: context of the driver, libraries, fragments of the allocator
WORKSPACE = GIB  # assumed: what vLLM computes in, and the graphs that it captures


def learner_parts(work: Work) -> list[Part]:
    """The models that learn or judge, with gradients and optimizers."""
    shape, shards, value = work.shape, work.shards, work.value
    zero, p = work.rl.engine == "zero3", work.shape.parameters
    weights = value if zero else 4
    optimizer = 12 if zero else 8
    of = f"{p:,} / {shards}" if shards > 1 else f"{p:,}"
    more = f"more processes ({work.processes} now) or a smaller base_model"
    if not zero:
        more = "rl.engine: zero3 with several processes, or a smaller base_model"
    always = PHASES if zero else ("learn", "step")  # torch frees gradients behind a step
    found = [
        Part("policy: weights", weights * p // shards, PHASES, f"{weights} B x {of}", more),
        Part("policy: gradients", weights * p // shards, always, f"{weights} B x {of}", more),
        Part(
            "policy: optimizer",
            optimizer * p // shards,
            PHASES,
            f"{optimizer} B x {of}: two moments" + (", weights in fp32" if zero else ""),
            more,
        ),
    ]
    if work.learners > 1:
        critic = shape.backbone + shape.hidden + 1
        found.append(
            Part(
                "critic",
                (2 * weights + optimizer) * critic // shards,
                PHASES,
                f"{2 * weights + optimizer} B x {critic:,}"
                + (f" / {shards}" if shards > 1 else "")
                + ": all that the policy has",
                f"rl.estimator: grpo, which has none, or {more}",
            )
        )
    if work.rl.kl:
        parted = zero and (shards > 1 or value == 2)
        size = value if parted else 4
        found.append(
            Part(
                "starting policy",
                size * p // (shards if parted else 1),
                PHASES,
                f"{size} B x {of if parted else f'{p:,}'}, for the KL penalty",
                f"rl.kl: 0.0, or {more}",
            )
        )
    return found


def passing_parts(work: Work) -> list[Part]:
    """What exists during passes and steps only."""
    shape, value, tokens = work.shape, work.value, row_tokens(work)
    rl, shards, p = work.rl, work.shards, work.shape.parameters
    shorter = "smaller agent.max_new_tokens, agent.max_info or tasks.max_turns"
    if rl.group > 1:
        shorter = "a smaller rl.group, or " + shorter
    if tokens <= ROW_TOKENS:
        shorter = "rl.precision: bf16" if value == 4 and work.gpu else "a smaller base_model"
    if not rl.gradient_checkpointing:
        shorter = "rl.gradient_checkpointing: true"
    layer = layer_bytes(shape, value, work.gpu)
    kept = value * shape.hidden if rl.gradient_checkpointing else layer
    found = [
        Part(
            "activations",
            activation_bytes(shape, tokens, value, rl.gradient_checkpointing, work.gpu),
            ("learn",),
            f"row of {tokens:,} tokens x ({shape.layers} layers x {kept:,} B + one at work)",
            shorter,
        ),
        Part(
            "logits and head",
            logit_bytes(shape, tokens, value, rl.entropy > 0),
            ("learn",),
            f"at most {CHUNK:,} logits at a time, of {shape.vocabulary:,} a token; two gradients "
            f"of the head",
            "rl.entropy: 0.0, or a smaller base_model" if rl.entropy else "a smaller base_model",
        ),
    ]
    stepped = min(p // shards, SUBGROUP)
    if rl.engine == "zero3":
        found.append(
            Part(
                "buffers of ZeRO-3",
                value * REDUCE_BUCKET * work.learners,
                PHASES,
                f"{value} B x {REDUCE_BUCKET:,} gradients, {work.learners} models",
                "a smaller base_model",
            )
        )
    if shards > 1:
        gathered = min(p, LIVE + PREFETCH + shape.embedding)
        found.append(
            Part(
                "gathered weights",
                value * gathered,
                ("learn",),
                f"{value} B x {gathered:,} at most",
                "a smaller base_model",
            )
        )
    if rl.engine == "plain" and value == 2:
        found.append(Part("weights in bf16", 2 * p, ("learn",), f"2 B x {p:,}", "rl.engine: zero3"))
    cast = 4 if rl.engine == "zero3" and value == 2 else 0
    found.append(
        Part(
            "optimizer at work",
            (4 + cast) * stepped,
            ("step",),
            f"{4 + cast} B x {stepped:,}: one moment's root"
            + (", gradients in fp32" if cast else ""),
            "more processes, or a smaller base_model",
        )
    )
    return found


def engine_parts(work: Work) -> list[Part]:
    """What samples: weights of its own, keys and values."""
    shape, p, vllm = work.shape, work.shape.parameters, work.vllm
    if vllm is not None and vllm.url is not None:
        return []  # somebody else's devices
    if vllm is None:
        another = "rl.rollout: vllm-server, or a smaller base_model"
        kept = Part("engine: keys and values", HF_CACHE, PHASES, "HFEngine, at most", another)
        if work.rl.engine == "plain":  # it is the policy itself
            return [kept]
        return [Part("engine: weights", 4 * p, PHASES, f"4 B x {p:,}, whole", another), kept]
    number = NUMBER[vllm.dtype]
    phases: tuple[Phase, ...] = ("collect",) if vllm.sleep else PHASES
    weights = number * p // vllm.tensor_parallel
    over = f" / {vllm.tensor_parallel}" if vllm.tensor_parallel > 1 else ""
    asleep = "" if vllm.sleep else "vllm.sleep: true, or "
    found = [
        Part(
            "engine: weights",
            weights,
            phases,
            f"{number} B x {p:,}{over}",
            f"{asleep}a larger vllm.tensor_parallel",
        ),
        Part("engine: at work", WORKSPACE, phases, "assumed", f"{asleep}a smaller base_model"),
    ]
    cache, how = vllm.kv_cache_bytes, "vllm.kv_cache_bytes"
    if cache is None and work.device is not None:
        cache = max(0, int(vllm.gpu_memory * work.device) - weights - WORKSPACE)
        how = f"what vllm.gpu_memory {vllm.gpu_memory} leaves"
    token = token_cache_bytes(shape, vllm)
    sequences = (cache or 0) // (token * work.agent.max_context)
    smaller = f"{asleep}a smaller {how.removeprefix('what ').split()[0]}"
    how += f": {sequences} sequences of {work.agent.max_context:,} tokens"
    return [*found, Part("engine: keys and values", cache or 0, phases, how, smaller)]


def token_cache_bytes(shape: ModelShape, vllm: Vllm) -> int:
    """Keys and values of one token on each device of the engine."""
    number = NUMBER[vllm.dtype]
    return 2 * shape.layers * shape.kv_width * number // min(vllm.tensor_parallel, shape.kv_heads)


def parts(work: Work) -> list[Part]:
    """All of it."""
    found = learner_parts(work) + engine_parts(work) + passing_parts(work)
    if work.gpu:
        found.append(Part("reserve", RESERVE, PHASES, "assumed", "a smaller base_model"))
    return found


def total(found: list[Part], phase: Phase) -> int:
    """Bytes of what exists in ``phase``."""
    return sum(part.size for part in found if phase in part.phases)
