"""Tokenizers that need no download: word-level for Atlas, byte-level BPE for real text.

Departure from the paper: it counts tokens with the tokenizer of GPT-4o-mini. Tables here
name the tokenizer they count with.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from mem1.agent import protocol
from mem1.provenance import replacing, write_json
from mem1.tasks.atlas_schema import RELATIONS, REMARKS, pools

PAD, UNKNOWN, END = "<pad>", "<unk>", "<eos>"
NUMBERS, LABELS = 100, 64  # 0 to 99, of turns and passages; Q1 to Q64, of questions
_PIECE = re.compile(r"\w+|[^\w\s]+")


def _pieces(text: str) -> list[str]:
    """What ``pre_tokenizers.Whitespace`` makes of ``text`` without its tags."""
    for tag in protocol.TAGS:
        text = text.replace(tag, " ")
    return _PIECE.findall(text)


def atlas_vocabulary() -> list[str]:
    """Every word that prompts, pages, hints and states of Atlas can hold, in fixed order."""
    texts: list[str] = [
        protocol.prompt_text(["a ?"], "mem1"),
        protocol.prompt_text(["a ?"], "full"),
        protocol.hint(1),
        protocol.CORRECTION,
        protocol.NOTHING_FOUND,
        "Doc 1: . none unknown open done end answers ; ?",
        *REMARKS,
    ]
    for relation in RELATIONS:
        texts += [f"{relation.verb} the {relation.noun}", *relation.questions]
    texts = [text.format(e="") if "{e}" in text else text for text in texts]
    words = dict.fromkeys(piece for text in texts for piece in _pieces(text))
    words |= dict.fromkeys(str(number) for number in range(NUMBERS))
    words |= dict.fromkeys(protocol.label(number) for number in range(1, LABELS + 1))
    first, last = pools()
    for pool in (*first.values(), last):
        words |= dict.fromkeys(pool)
    return list(words)


def pieces(texts: Iterable[str]) -> list[str]:
    """The words and marks in ``texts``, each once, as ``word_level`` takes them."""
    return list(dict.fromkeys(piece for text in texts for piece in _pieces(text)))


def word_level(words: Sequence[str] | None = None) -> Tokenizer:
    """One token a word, a punctuation mark or a tag; without ``words``, those of Atlas."""
    specials = [PAD, UNKNOWN, END, *protocol.TAGS]
    vocabulary = {
        word: i
        for i, word in enumerate([*specials, *(atlas_vocabulary() if words is None else words)])
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([PAD, UNKNOWN, END])
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in protocol.TAGS])
    return tokenizer


def byte_pair(texts: Iterable[str], size: int = 16_000) -> Tokenizer:
    """A byte-level BPE trained on ``texts``, with the protocol's tags as whole tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, UNKNOWN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in protocol.TAGS])
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer`` so that ``PreTrainedTokenizerFast.from_pretrained`` reads it."""
    with replacing(folder) as temporary:
        temporary.mkdir()
        tokenizer.save(str(temporary / "tokenizer.json"))
        write_json(
            temporary / "tokenizer_config.json",
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "pad_token": PAD,
                "unk_token": UNKNOWN,
                "eos_token": END,
                "clean_up_tokenization_spaces": False,
            },
        )
