"""Decoding at a server of vLLM: ids in; ids, log-probabilities and the weights behind them out.

Requests go to vLLM's own route for ids (/inference/v1/generate), because its answers name the
weights that each token was sampled with; the routes of OpenAI's API do not. Random numbers
belong to the request, so what is sampled does not depend on what else the server decodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from mem1.agent.engines.base import Output, Sampling, cut
from mem1.agent.engines.parallel import side_by_side
from mem1.agent.engines.vllm.arguments import check_version
from mem1.agent.engines.vllm.base import (
    FIRST,
    MOST_ABORTS,
    LostError,
    aborted,
    check_length,
    check_weights,
    parameters,
)
from mem1.agent.engines.vllm.routes import PATH
from mem1.agent.text import Codec
from mem1.errors import InputError
from mem1.retrieval.transport import Patience, RefusedError, call

AT_ONCE = 64  # requests of one call


class _Entry(BaseModel):
    token_id: int
    logprob: float


class _Logprobs(BaseModel):
    content: list[_Entry]


class _Span(BaseModel):
    version: str


class _Choice(BaseModel):
    finish_reason: str | None = None
    token_ids: list[Annotated[int, Field(ge=0)]]
    logprobs: _Logprobs | None = None
    weight_versions: list[_Span] | None = None


class _Answer(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


@dataclass(frozen=True)
class Address:
    """Where a server is, and how to speak to it. Other processes can be told."""

    root: str  # without /v1
    headers: dict[str, str]
    model: str
    most_tokens: int  # of a context with its output
    patience: Patience


class ServedVLLM:
    """Continues contexts at the server at ``address``, from as many threads as there are.

    ``version`` is that of the weights that it must have.
    """

    continuous = True

    def __init__(self, address: Address, codec: Codec) -> None:
        self.address = address
        self.version = FIRST
        self._codec = codec

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """Continue each context; see :class:`mem1.agent.engines.base.Engine`.

        Raises:
            LostError: the server is gone, or has other weights.
            InputError: a context is too long, or the server refuses.
        """
        for context in contexts:
            check_length(len(context), sampling, self.address.most_tokens)
        return side_by_side(self._ask, contexts, sampling, seeds, AT_ONCE)

    def load(self, path: str, version: str) -> None:
        """Let the server take the weights in the safetensors file ``path``, as ``version``.

        Raises:
            LostError: it is gone, or they are not its weights then.
        """
        self.control("load", path=path, version=version)
        self.version = version

    def workers(self) -> int:
        """How many GPUs decode there.

        Raises:
            LostError: it is gone.
        """
        return int(_call(self.address, PATH, {"do": "count"})["workers"])

    def control(self, do: str, **more: Any) -> None:
        """Let the server do what ``engines.vllm.routes`` can.

        Raises:
            LostError: it is gone, or could not.
        """
        answer = _call(self.address, PATH, {"do": do, **more})
        if "version" in more and answer.get("version") != more["version"]:
            raise LostError(f"{self.address.root} did not take new weights ({answer}).")

    def _ask(self, context: list[int], sampling: Sampling, seed: int) -> Output:
        body = {
            "model": self.address.model,
            "token_ids": context,
            "sampling_params": parameters(sampling, seed),
        }
        for _ in range(MOST_ABORTS):
            said = _call(self.address, "/inference/v1/generate", body)
            try:
                choice = _Answer.model_validate(said).choices[0]
            except ValidationError as error:
                raise InputError(
                    f"{self.address.root} does not answer as vLLM does: correct vllm.url."
                ) from error
            if choice.finish_reason != "abort":
                break
        else:
            raise aborted(MOST_ABORTS)
        check_weights([one.version for one in choice.weight_versions or []], self.version)
        entries = choice.logprobs.content if choice.logprobs else []
        if [one.token_id for one in entries] != choice.token_ids:
            raise InputError(f"{self.address.root} gives log-probabilities of other tokens.")
        logprobs = [one.logprob for one in entries]
        return cut(choice.token_ids, logprobs, self._codec, sampling)


def _call(address: Address, path: str, body: Any = None) -> Any:
    """The answer of the server.

    Raises:
        LostError: there is none.
        InputError: it refuses.
    """
    fix = "look at the log of the server"
    try:
        reply = call(
            f"{address.root}{path}",
            body,
            headers=address.headers,
            patience=address.patience,
            fix=fix,
        )
    except RefusedError:
        raise
    except InputError as error:
        raise LostError(str(error)) from error
    return reply.value


def reached(url: str, headers: dict[str, str], patience: Patience) -> Address:
    """The server that somebody started at ``url``, once it has said what it is.

    Raises:
        InputError: it does not answer, is another version, or cannot be given weights.
    """
    root = url.rstrip("/").removesuffix("/v1")
    address = Address(root, headers, "", 0, patience)
    check_version(str(_call(address, "/version").get("version")), root)
    [model, *_] = _call(address, "/v1/models")["data"]
    try:
        _call(address, PATH, {"do": "nothing"})
    except RefusedError as error:
        if error.status != 422:  # what it has to say to that
            raise InputError(
                f"{root} cannot be given weights (status {error.status}): start it as in "
                f"docs/vllm.md."
            ) from error
    return Address(root, headers, model["id"], model["max_model_len"], patience)
