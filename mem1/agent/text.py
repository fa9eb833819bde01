"""Text to token ids and back, without torch and without a model's chat template."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from mem1.agent import protocol
from mem1.errors import InputError
from mem1.provenance import read_json

FILES = ("tokenizer.json", "tokenizer_config.json")


class Codec:
    """A ``tokenizers.Tokenizer`` as the agent loop uses it: no special tokens are added.

    ``backend`` is the wrapped tokenizer, ``eos`` the id that ends a text, or None.
    """

    def __init__(self, backend: Tokenizer, eos: int | None = None) -> None:
        self.backend = backend
        self.eos = eos
        added = backend.get_added_tokens_decoder().values()
        self._markup = sorted(
            {token.content for token in added if token.special} - set(protocol.TAGS),
            key=len,
            reverse=True,
        )

    @property
    def size(self) -> int:
        """Number of ids, added tokens included."""
        return self.backend.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``."""
        return self.backend.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``; special tokens are written out, not dropped.

        A word-level tokenizer gives words joined by single spaces.
        """
        return self.backend.decode(list(ids), skip_special_tokens=False)

    def plain(self, text: str) -> str:
        """``text`` in which no special token (end of text, chat markup) is recognised.

        For text that others wrote: ``encode`` would turn a literal ``<eos>`` into the id.
        """
        for token in self._markup:
            text = text.replace(token, token.translate(_HARMLESS))
        return text


_HARMLESS = str.maketrans("<>[]|", "()()/")


def load_codec(folder: Path) -> Codec:
    """The tokenizer saved in ``folder`` (``tokenizer.json`` and ``tokenizer_config.json``).

    Raises:
        InputError: a file is missing or is no tokenizer.
    """
    path, settings = (folder / name for name in FILES)
    saved = read_json(path)
    if not isinstance(saved, dict) or "model" not in saved:
        raise InputError(f"{path} is no tokenizer (it has no model): make it again.")
    backend = Tokenizer.from_file(str(path))
    name = read_json(settings).get("eos_token")
    if isinstance(name, dict):  # older files keep the token with its options
        name = name.get("content")
    return Codec(backend, backend.token_to_id(name) if name else None)
