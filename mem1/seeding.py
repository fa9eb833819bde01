"""Randomness from named seeds: the same (seed, name) gives the same stream on every machine."""

import hashlib
import random

import numpy as np


def derive(seed: int, *names: object) -> int:
    """A 63-bit seed for the stream called ``names`` under the root ``seed``.

    Independent of Python's hash randomization, so that processes agree.
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: object) -> random.Random:
    """A ``random.Random`` of its own for ``names``."""
    return random.Random(derive(seed, *names))


def array_stream(seed: int, *names: object) -> np.random.Generator:
    """A numpy generator of its own for ``names``."""
    return np.random.default_rng(derive(seed, *names))
