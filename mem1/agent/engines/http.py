"""Decoding at a server that speaks OpenAI's API: a served checkpoint, or a model of somebody else.

``server.api`` says how a context is sent:

    tokens  /completions, the ids themselves (vLLM and servers like it): nothing is lost
    text    /completions, the decoded context, which the server encodes again
    chat    /chat/completions, the task prompt as the user's message, and all that follows it
            (outputs and infos as they stand in the context) as the assistant's, for the model to
            go on with; a context that starts with no task prompt is one message of the user

Ids and log-probabilities are the server's where it returns ids, cut together at the token that
completes a stop string. Otherwise the text it returns is encoded with the tokenizer that
``server.tokenizer`` names, and there are no log-probabilities. Where a server keeps the stop
string to itself it is put back.

Requests run side by side and are repeated when the server fails, is busy or breaks off
(``retrieval.transport``); a request that it refuses, or an answer that it ends for another reason
than a stop or the limit, ends the command.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from mem1 import keys
from mem1.agent.engines.base import Output, Sampling, cut, until_stop
from mem1.agent.engines.parallel import side_by_side
from mem1.agent.text import Codec
from mem1.config_systems import Server
from mem1.errors import InputError
from mem1.retrieval.transport import Patience, call

MOST_STOPS = 4  # that a request may have; all of them are looked for in the answer again

_FIX = "start the server, or correct url, model and key of the system's server"


class _Logprobs(BaseModel):
    token_logprobs: list[float | None] | None = None


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    """One answer. ``text`` is of completions, ``message`` of chat; ids and reason are vLLM's."""

    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    token_ids: list[Annotated[int, Field(ge=0, lt=2**31)]] | None = None
    logprobs: _Logprobs | None = None


class _Answer(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class HTTPEngine:
    """Continues contexts at ``server``.

    Args:
        server: where, and how.
        codec: the tokenizer of the model there; it is what tokens are counted with.
        prompts: ids of the task prompts, which ``chat`` sends as messages of their own.
        patience: how long to wait, in place of what ``server`` says.

    Raises:
        InputError: the environment variable with the key is not set.
    """

    def __init__(
        self,
        server: Server,
        codec: Codec,
        prompts: Iterable[Sequence[int]] = (),
        patience: Patience | None = None,
    ) -> None:
        self._server = server
        self._codec = codec
        self._prompts = {tuple(prompt) for prompt in prompts}
        self._lengths = sorted({len(prompt) for prompt in self._prompts}, reverse=True)
        self._patience = patience or Patience(server.retries + 1, server.timeout)
        self._headers = keys.header(server.key)
        route = "chat/completions" if server.api == "chat" else "completions"
        self._url = f"{server.url.rstrip('/')}/{route}"

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """Continue each context; see :class:`mem1.agent.engines.base.Engine`.

        How far a seed decides what is sampled is up to the server.

        Raises:
            InputError: the server does not answer, refuses, or says something else than an answer.
        """
        most = self._server.concurrency
        return side_by_side(self._ask, contexts, sampling, seeds, most)

    def _ask(self, context: list[int], sampling: Sampling, seed: int) -> Output:
        body = self._body(context, sampling, seed)
        reply = call(self._url, body, headers=self._headers, patience=self._patience, fix=_FIX)
        try:
            choice = _Answer.model_validate(reply.value).choices[0]
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the answer"
            raise InputError(
                f"{self._url} does not speak OpenAI's API ({where}: {first['msg']}): correct the "
                f"system's server.url or server.api."
            ) from error
        if choice.finish_reason not in ("stop", "length"):
            raise InputError(
                f"{self._url} ended an answer for another reason than a stop or the limit "
                f"({choice.finish_reason}): see its log and start again, what is finished is kept."
            )
        if choice.token_ids is not None:
            return cut(choice.token_ids, _given(choice, sampling), self._codec, sampling)
        return self._encoded(choice, sampling)

    def _body(self, context: list[int], sampling: Sampling, seed: int) -> dict[str, Any]:
        """The request. What is not standard goes to servers that take ids only."""
        body: dict[str, Any] = {
            "model": self._server.model,
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": 1.0,
            "seed": seed,
            "stop": list(sampling.stop)[:MOST_STOPS],
        }
        if self._server.api == "chat":
            return {**body, "messages": self._messages(context)}
        if self._server.api == "text":
            return {**body, "prompt": self._codec.decode(context)}
        return {
            **body,
            "prompt": context,
            "logprobs": 0,  # of the sampled tokens alone
            "return_token_ids": True,
            "include_stop_str_in_output": True,
            "skip_special_tokens": False,  # a tag can be one
            "spaces_between_special_tokens": False,
            # Defaults of vLLM are those of the model's generation_config.json.
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }

    def _messages(self, context: list[int]) -> list[dict[str, str]]:
        """The task prompt, and what follows it."""
        known = (n for n in self._lengths if tuple(context[:n]) in self._prompts)
        end = next(known, len(context))
        messages = [{"role": "user", "content": self._codec.decode(context[:end])}]
        if context[end:]:
            messages.append({"role": "assistant", "content": self._codec.decode(context[end:])})
        return messages

    def _encoded(self, choice: _Choice, sampling: Sampling) -> Output:
        """The answer of a server that returns text alone."""
        text = (choice.text if choice.message is None else choice.message.content) or ""
        if choice.finish_reason == "stop":
            text = with_stop(text, choice.stop_reason, sampling.stop)
        ids = self._codec.encode(self._codec.plain(until_stop(text, sampling.stop)))
        ids = ids[: sampling.max_new_tokens]  # the server counts with a tokenizer of its own
        return Output(ids, [], until_stop(self._codec.decode(ids), sampling.stop))


def with_stop(text: str, reason: int | str | None, stops: Sequence[str]) -> str:
    """``text``, which a stop string ended, with that string.

    Where the server does not name it (``reason``) it is the closing tag of what was opened last.
    Nothing is added where the string is there already, or where nothing is open: the model has
    ended by itself.
    """
    if any(stop in text for stop in stops):
        return text
    if reason in stops:
        return f"{text}{reason}"
    opened = {stop: text.rfind(stop.replace("</", "<", 1)) for stop in stops if stop[:2] == "</"}
    last = max(opened, key=lambda stop: opened[stop], default=None)
    return text + last if last is not None and opened[last] >= 0 else text


def _given(choice: _Choice, sampling: Sampling) -> list[float]:
    """The log-probabilities of the answer's ids, if they are what a record says they are.

    Servers give them at temperature 1, so at another temperature they are none.
    """
    found = choice.logprobs.token_logprobs if choice.logprobs else None
    values = [value for value in found or [] if value is not None]
    one_each = len(values) == len(choice.token_ids or [])
    return values if one_each and sampling.temperature in (0.0, 1.0) else []
