"""The word-level tokenizer covers Atlas; both kinds load as PreTrainedTokenizerFast."""

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from mem1.agent import protocol
from mem1.config import World
from mem1.tasks import atlas, tokenizer


def test_no_word_of_a_world_is_unknown() -> None:
    made = tokenizer.word_level()
    unknown = made.token_to_id(tokenizer.UNKNOWN)
    world = atlas.generate(World(entities_per_type=60, hops={1: 0.5, 2: 0.3, 3: 0.2}), 3, "test")
    texts = [f"Doc 1: {p.title}. {p.text}" for p in world.passages]
    texts += [protocol.prompt_text([q.text], kind) for q in world.questions for kind in KINDS]
    texts += [protocol.hint(90), protocol.CORRECTION, protocol.NOTHING_FOUND]

    assert not any(unknown in encoding.ids for encoding in made.encode_batch(texts))


KINDS: tuple[protocol.PromptKind, ...] = ("mem1", "full")


def test_tags_are_one_token_and_survive_decoding() -> None:
    made = tokenizer.word_level()
    text = "<think> none. </think> <search> who </search>"

    ids = made.encode(text).ids

    assert [made.token_to_id(tag) for tag in ("<think>", "</search>")] == [ids[0], ids[-1]]
    assert protocol.parse(made.decode(ids, skip_special_tokens=False)).kind == "search"


def test_saved_tokenizer_is_a_fast_tokenizer(tmp_path: Path) -> None:
    tokenizer.save(tokenizer.word_level(), tmp_path / "words")

    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path / "words")

    text = "<think> Who is the mayor of it? </think>"
    assert loaded(text)["input_ids"] == tokenizer.word_level().encode(text).ids
    assert loaded.pad_token_id == 0


def test_byte_pairs_keep_any_text(tmp_path: Path) -> None:
    made = tokenizer.byte_pair(["some text about some things"] * 3, size=300)
    text = "Zoë's 3,5 % — <information> déjà vu"

    assert made.decode(made.encode(text).ids, skip_special_tokens=False) == text
