"""Chat templates: found beside a tokenizer, filled in, taken apart."""

import json
from pathlib import Path

import pytest

from mem1.agent import text
from mem1.agent.chat import ChatTemplate, load_template
from mem1.agent.text import Codec, load_codec
from mem1.errors import InputError
from tests.unit.agent.conftest import CHAT


def save(folder: Path, codec: Codec, **settings: object) -> Path:
    """A tokenizer folder."""
    codec.backend.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def test_a_conversation_ends_where_the_assistant_begins(chatting: Codec) -> None:
    expected = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n"
    assert chatting.decode(chatting.chat("U", "S")) == f"{expected}<|im_start|>assistant\n"


def test_a_reply_closes_the_assistant_and_opens_it_again(chatting: Codec) -> None:
    expected = "<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
    assert chatting.reply("U") == expected


def test_the_marks_of_messages_are_single_tokens(chatting: Codec) -> None:
    ids = chatting.encode(chatting.reply(""))
    assert ids.count(chatting.encode("<|im_end|>")[0]) == 2
    assert ids.count(chatting.encode("<|im_start|>")[0]) == 2


def test_without_a_template_messages_are_plain_text(characters: Codec) -> None:
    assert characters.decode(characters.chat("U", "S")) == "S\n\nU\n"
    assert characters.reply("U") == "\nU\n"


@pytest.mark.parametrize(
    "found", [CHAT, [{"name": "tool_use", "template": "x"}, {"name": "default", "template": CHAT}]]
)
def test_a_template_of_the_settings_is_found(
    found: object, tmp_path: Path, chatting: Codec
) -> None:
    loaded = load_codec(save(tmp_path, chatting, chat_template=found, eos_token="<|im_end|>"))
    assert loaded.chat("U") == chatting.chat("U")
    assert loaded.eos == chatting.eos


def test_a_template_in_a_file_of_its_own_wins_and_counts_as_input(
    tmp_path: Path, chatting: Codec
) -> None:
    folder = save(tmp_path, chatting, chat_template="old")
    assert [path.name for path in text.files(folder)] == ["tokenizer.json", "tokenizer_config.json"]
    (folder / "chat_template.jinja").write_text(CHAT)
    assert load_codec(folder).chat("U") == chatting.chat("U")
    assert text.files(folder)[-1] == folder / "chat_template.jinja"


def test_a_template_can_be_left_out(tmp_path: Path, chatting: Codec) -> None:
    folder = save(tmp_path, chatting, chat_template=CHAT)
    assert load_codec(folder, chat=False).template is None


def test_special_tokens_are_there_by_name(tmp_path: Path, chatting: Codec) -> None:
    settings = {"bos_token": {"content": "<B>"}, "chat_template": "{{ bos_token }}" + CHAT}
    found = load_template(save(tmp_path, chatting, **settings))
    assert found is not None
    assert found.request("U").startswith("<B><|im_start|>user")


@pytest.mark.parametrize("asked", ["date_string", "strftime_now('%d %b %Y')"])
def test_a_template_cannot_ask_for_the_day(asked: str) -> None:
    dated = f"{{{{ {asked} }}}}{CHAT}"
    assert ChatTemplate(dated).request("U").startswith("26 Jul 2024<|im_start|>")


def test_a_template_that_knows_no_system_message_is_named() -> None:
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + CHAT
    assert ChatTemplate(refusing).request("U")
    with pytest.raises(InputError, match="cannot write messages of system, user"):
        ChatTemplate(refusing).request("U", "S")


def test_a_template_that_drops_messages_is_refused() -> None:
    with pytest.raises(InputError, match="drops messages"):
        ChatTemplate("{{ messages[-1].content }}").reply("U")


@pytest.mark.parametrize("found", [7, {"default": CHAT}])
def test_a_template_that_is_none_is_named(found: object, tmp_path: Path, chatting: Codec) -> None:
    with pytest.raises(InputError, match=r"tokenizer_config\.json: its chat_template is no text"):
        load_codec(save(tmp_path, chatting, chat_template=found))
