"""Text to token ids and back, without torch."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from mem1.agent import protocol
from mem1.agent.chat import FILE, ChatTemplate, load_template, token_text
from mem1.errors import InputError
from mem1.provenance import read_json

FILES = ("tokenizer.json", "tokenizer_config.json")


class Codec:
    """A ``tokenizers.Tokenizer`` as the agent loop uses it: no special tokens are added.

    ``backend`` is the wrapped tokenizer, ``eos`` the id that ends a text, or None; ``template``
    says how messages are marked, or None: they are plain text then.
    """

    def __init__(
        self, backend: Tokenizer, eos: int | None = None, template: ChatTemplate | None = None
    ) -> None:
        self.backend = backend
        self.eos = eos
        self.template = template
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

    def chat(self, user: str, system: str = "") -> list[int]:
        """The ids of a conversation up to where the assistant begins to answer ``user``."""
        if self.template is not None:
            return self.encode(self.template.request(user, system))
        return self.encode(f"{system}\n\n{user}\n" if system else f"{user}\n")

    def reply(self, text: str) -> str:
        """``text`` as a message of the user, after an unfinished one of the assistant."""
        return f"\n{text}\n" if self.template is None else self.template.reply(text)


_HARMLESS = str.maketrans("<>[]|", "()()/")


def files(folder: Path) -> list[Path]:
    """The files that decide what the tokenizer saved in ``folder`` does."""
    return [folder / name for name in FILES] + [p for p in [folder / FILE] if p.is_file()]


def load_codec(folder: Path, *, chat: bool = True) -> Codec:
    """The tokenizer saved in ``folder`` (``files``).

    ``chat=False`` leaves its template out, for a server that marks messages itself.

    Raises:
        InputError: a file is missing or is no tokenizer.
    """
    path, settings = (folder / name for name in FILES)
    saved = read_json(path)
    if not isinstance(saved, dict) or "model" not in saved:
        raise InputError(f"{path} is no tokenizer (it has no model): make it again.")
    backend = Tokenizer.from_file(str(path))
    name = token_text(read_json(settings).get("eos_token"))
    eos = backend.token_to_id(name) if name else None
    return Codec(backend, eos, load_template(folder) if chat else None)
