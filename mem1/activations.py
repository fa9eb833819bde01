"""Tokens of a packed row and what passes over it keep, in bytes, from the shape of the model.

Formulas alone. tests/unit/test_activations.py compares them with the trees that are made, with the
tensors that real passes save, and with the peak of a real forward and backward pass on a CPU. On a
GPU they were not measured.

``value`` is the size of a number in a forward pass: 2 (bfloat16) or 4 bytes.
"""

from mem1.config_systems import Policy
from mem1.model_shape import ModelShape
from mem1.train.limits import CHUNK


def tree_tokens(
    policy: Policy, prompt: int, output: int, info: int, turns: int, group: int, limit: int
) -> int:
    """Tokens of the tree of one task: ``group`` trajectories that share its prompt.

    Under mem1 an output stands in its own view and, but for the first and the last, once more in
    the next: q + T g + (T - 1) i + (T - 2) g. Else q + T g + (T - 1) i, at most ``limit``.
    """
    own = turns * output + (turns - 1) * info
    if policy == "mem1":
        own += max(0, turns - 2) * output
    else:
        own = max(0, min(own, limit - prompt))
    return prompt + group * own


def layer_bytes(shape: ModelShape, value: int, gpu: bool) -> int:
    """What one layer keeps of a token for its backward pass.

    Two norms keep their input in fp32, the normalized input and the output. Attention keeps q, k,
    v, its output, a copy of that in another order, and a log-sum-exp of each head; on a CPU
    (backend ``branches``) in fp32 and with keys repeated for all heads. The feed-forward layer
    keeps four times its width.
    """
    norms = 2 * ((4 + 2 * value) * shape.hidden + 4)
    if gpu:
        attention = value * (3 * shape.hidden + 2 * shape.kv_width)
    else:
        attention = 4 * 4 * shape.hidden + (value * shape.hidden if value < 4 else 0)
    return norms + attention + 4 * shape.heads + 4 * value * shape.intermediate


def activation_bytes(
    shape: ModelShape, tokens: int, value: int, checkpointing: bool, gpu: bool
) -> int:
    """Peak of a forward and backward pass over ``tokens``, without logits and weights.

    With ``checkpointing`` each layer keeps its input, and one at a time all it needs; on top come
    the gradients that the backward pass of a feed-forward layer makes.
    """
    layer = layer_bytes(shape, value, gpu)
    kept = value * shape.hidden if checkpointing else layer
    working = (layer if checkpointing else 0) + 2 * value * (shape.intermediate + shape.hidden)
    last_norm = (4 + value) * shape.hidden
    return tokens * (shape.layers * kept + working + last_norm)


def logit_bytes(shape: ModelShape, tokens: int, value: int, entropy: bool) -> int:
    """Peak of scoring the sampled tokens of a row, chunk by chunk.

    A logit takes four numbers in fp32, five where the entropy has a gradient; and the gradient of
    the head exists twice while those of the chunks are added.
    """
    chunk = min(tokens, max(1, CHUNK // shape.vocabulary)) * shape.vocabulary
    return (20 if entropy else 16) * chunk + 2 * value * shape.embedding
