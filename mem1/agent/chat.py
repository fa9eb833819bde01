"""Chat templates: which marks of a tokenizer stand around messages.

A template is a Jinja program that comes with a tokenizer; transformers runs it in its sandbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from mem1.errors import InputError
from mem1.provenance import read_json

FILE = "chat_template.jinja"  # beside the tokenizer, or its text in tokenizer_config.json
_SPECIALS = ("bos_token", "eos_token", "pad_token", "unk_token")
_DAY = datetime(2024, 7, 26)  # what some templates print as today: a run must not depend on it
_MARKS = ("mem1-said", "mem1-told")  # stand for messages where a template is taken apart


@dataclass(frozen=True)
class ChatTemplate:
    """The template ``source``; ``specials`` are the tokens that it may ask for by name."""

    source: str
    specials: Mapping[str, str] = field(default_factory=dict)

    def request(self, user: str, system: str = "") -> str:
        """A conversation up to where the assistant begins to answer ``user``.

        Raises:
            InputError: the template fails, for example because it knows no system message.
        """
        messages = [("system", system)] if system else []
        return self._render([*messages, ("user", user)])

    def reply(self, text: str) -> str:
        """``text`` as a message of the user that follows on an unfinished one of the assistant.

        Ends where the assistant begins to answer it.
        """
        opening, closing = self._around
        return f"{opening}{text}{closing}"

    @cached_property
    def _around(self) -> tuple[str, str]:
        """What ends a message of the assistant and opens one of the user; and the reverse."""
        said, told = _MARKS
        talk = self._render([("user", "?"), ("assistant", said), ("user", told)])
        _, found, rest = talk.partition(said)
        opening, found_too, closing = rest.partition(told)
        if not (found and found_too):
            raise InputError(
                "The chat template of the tokenizer drops messages: use a tokenizer whose "
                "template writes out all of them."
            )
        return opening, closing

    def _render(self, messages: list[tuple[str, str]]) -> str:
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        render: Any = render_jinja_template  # its annotations are not what it does
        conversation = [{"role": role, "content": content} for role, content in messages]
        try:
            [rendered], _ = render(
                conversations=[conversation],
                chat_template=self.source,
                add_generation_prompt=True,
                date_string=f"{_DAY:%d %b %Y}",
                strftime_now=_DAY.strftime,
                **self.specials,
            )
        except TemplateError as error:
            roles = ", ".join(role for role, _ in messages)
            raise InputError(
                f"The chat template of the tokenizer cannot write messages of {roles} ({error}): "
                f"use another tokenizer, or a prompt format that does without."
            ) from error
        return rendered


def load_template(folder: Path) -> ChatTemplate | None:
    """The chat template of the tokenizer saved in ``folder``; None if it has none.

    Where there are several, that with the name ``default``.

    Raises:
        InputError: ``tokenizer_config.json`` is missing, or its template is none.
    """
    settings = folder / "tokenizer_config.json"
    values = read_json(settings)
    found = values.get("chat_template")
    if isinstance(found, list):  # older files: [{"name": ..., "template": ...}, ...]
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    if (folder / FILE).is_file():
        found = (folder / FILE).read_text(encoding="utf-8")
    if found is None:
        return None
    if not isinstance(found, str):
        raise InputError(f"{settings}: its chat_template is no text: restore the file.")
    specials = {name: token_text(values.get(name)) for name in _SPECIALS}
    return ChatTemplate(found, {name: text for name, text in specials.items() if text})


def token_text(token: Any) -> str | None:
    """The text of a token in ``tokenizer_config.json``: older files keep it with its options."""
    return token.get("content") if isinstance(token, dict) else token
