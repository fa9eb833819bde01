"""Models in folders."""

from pathlib import Path

from mem1.agent.text import load_codec
from mem1.tasks import tokenizer
from mem1.train.model import load_checkpoint, new_model, save_model
from tests.unit.agent.conftest import CHAT
from tests.unit.train.conftest import MODEL


def test_a_saved_model_has_the_chat_template_that_it_was_trained_with(tmp_path: Path) -> None:
    words = tokenizer.word_level()
    tokenizer.save(words, tmp_path / "words")
    (tmp_path / "words" / "chat_template.jinja").write_text(CHAT, encoding="utf-8")
    save_model(new_model(MODEL, words.get_vocab_size(), 0), tmp_path / "words", tmp_path / "model")
    _, codec = load_checkpoint(tmp_path / "model")
    assert codec.template == load_codec(tmp_path / "words").template is not None
