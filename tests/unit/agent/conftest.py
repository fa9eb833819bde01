"""Small tokenizers, tasks and settings for the tests of the agent."""

import re

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from mem1.agent import protocol
from mem1.agent.chat import ChatTemplate
from mem1.agent.text import Codec
from mem1.config import Agent, Memory
from mem1.records import Question, Task

TEXT = """
Answer to Only your last notes stay. All Q1: Q2 Q3 Q4 Q5 Q6 Q7 Q8 Doc [HINT YOU HAVE TURNS LEFT] (/)
Malformed think, then search or answer. No page found unknown Answers of who is what ? ; red blue
green home Ada Bo Cy Di lives in likes open done end none answers
"""


def word_codec() -> Codec:
    """One token a word, a mark or a tag."""
    specials = ["<pad>", "<unk>", "<eos>"]
    pieces = [*re.findall(r"\w+|[^\w\s]", TEXT), *map(str, range(21))]
    vocabulary = {w: i for i, w in enumerate(dict.fromkeys([*specials, *protocol.TAGS, *pieces]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(specials)
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in protocol.TAGS])
    return Codec(tokenizer, vocabulary["<eos>"])


def byte_codec() -> Codec:
    """Bytes and a few merges: tags are several tokens, and one token reaches past a tag."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("<", "/"), ("s", "e"), ("e", "r"), ("r", ">"), (">", "a")]
    vocabulary = {piece: i for i, piece in enumerate(alphabet)}
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return Codec(tokenizer)


CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_codec() -> Codec:
    """Bytes, with the marks and a template of messages in ChatML."""
    codec = byte_codec()
    codec.backend.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    return Codec(codec.backend, codec.backend.token_to_id("<|im_end|>"), ChatTemplate(CHAT))


@pytest.fixture(scope="session")
def words() -> Codec:
    return word_codec()


@pytest.fixture(scope="session")
def characters() -> Codec:
    return byte_codec()


@pytest.fixture(scope="session")
def chatting() -> Codec:
    return chat_codec()


MEMORY = Memory(
    summary_tokens=12, overwrite_tokens=10, note_tokens=8, evolve_tokens=9, notes=2, encoder=None
)


@pytest.fixture
def agent() -> Agent:
    return Agent(max_context=800, max_new_tokens=24, max_info=40, truncate_budget=60, memory=MEMORY)


def question(text: str, gold: str) -> Question:
    """A question with one gold."""
    return Question(id=text, text=text, golds=[gold], source="test")


@pytest.fixture
def tasks() -> list[Task]:
    """Three tasks of different horizons and budgets."""
    ada, bo, cy = (
        question(f"what is {name} ?", gold)
        for name, gold in (("Ada", "red"), ("Bo", "blue"), ("Cy", "green"))
    )
    return [
        Task(id="one", split="test", questions=[ada], max_turns=3),
        Task(id="two", split="test", questions=[bo, cy], max_turns=4),
        Task(id="three", split="test", questions=[cy, ada, bo], max_turns=6),
    ]
