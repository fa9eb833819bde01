"""The form of DeepResearcher (arXiv 2504.03160), for its released checkpoint.

Looked up in code that builds on its own (``scrl/llm_agent/generation.py``): a message of the
system with background and the two legal outputs, ``<think>`` and then ``<answer>`` or
``<tool_call>``, nothing but the answer inside ``<answer>``; the tools in Qwen's convention, as JSON
between ``<tools>``; the question alone as the user's message; a call is
``{"name": "web_search", "arguments": {"query": [...]}}`` with a list of queries; what a call
returns is a message of its own between ``<tool_response>``, a JSON list of ``search_query`` and
``web_page_info_list`` with ``title``, ``url`` and ``quick_summary`` of each page. A call that is no
such JSON is invalid.

Ours: the sentences; no date in the system message (a run must not depend on the day); no tool to
browse pages, which the paper's web search does not fetch; no URL in results, and the whole text of
a passage as its summary; three queries of a call are searched, the first ones; answers of several
questions are separated by semicolons; the correction; the agent writes its ``<think>`` itself,
which that code puts into its mouth, and an output that begins behind it is accepted too. There is
no word of the turns that are left. There, an invalid output ends the trajectory.
"""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from mem1.agent.formats.base import Format, Result, joined
from mem1.agent.protocol import ANSWER, END_ANSWER, END_THINK, THINK, Action

CALL, END_CALL = "<tool_call>", "</tool_call>"
RESPONSE, END_RESPONSE = "<tool_response>", "</tool_response>"
MOST_QUERIES = 3  # of one call

_SYSTEM = """## Background
* You are an assistant for deep research.

You get a question that takes *deep research* to answer, and one tool:
* A web search, which finds pages for your queries.

You need not answer at once. Think first about a plan, or about what to search next.

Your output has one of these two forms, and no other:

<think>
what you think
</think>
<tool_call>
a call of the tool
</tool_call>

or

<think>
what you think
</think>
<answer>
the answer, when you know enough
</answer>

Inside <answer> write the final answer only (words, numbers or a phrase), without explanation. \
Answer a yes-or-no question with yes or no. If there are several questions, write one answer to \
each of them, in their order, separated by semicolons.

# Tools

You may call the functions whose signatures stand between <tools> and </tools>:
<tools>
{"type": "function", "function": {"name": "web_search", "description": "Search the web. Use it \
when what you have seen is not enough to answer.", "parameters": {"type": "object", "properties": \
{"query": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "The \
queries to search for"}}, "required": ["query"]}}}
</tools>

A call is a JSON object with the name and the arguments between <tool_call> and </tool_call>:
<tool_call>
{"name": "web_search", "arguments": {"query": ["first query", "second query"]}}
</tool_call>"""
_OUTPUT = re.compile(
    r"\s*(?:<think>)?(?P<state>.*?)</think>\s*"
    r"(?:<tool_call>(?P<call>.*?)</tool_call>|<answer>(?P<answer>.*?)</answer>)\s*",
    re.DOTALL,
)


class _Arguments(BaseModel):
    model_config = ConfigDict(strict=True)

    query: list[Annotated[str, StringConstraints(strip_whitespace=True)]]


class _Call(BaseModel):
    model_config = ConfigDict(strict=True)

    name: Literal["web_search"]
    arguments: _Arguments


class DeepResearcher(Format):
    """Form ``deepresearcher``."""

    name = "deepresearcher"
    stop = (END_CALL, END_ANSWER)
    system = _SYSTEM
    messages = True
    correction = (
        f"That was no valid output. Write {THINK} ... {END_THINK}, and then either {CALL} with the "
        f"JSON of a web_search, or {ANSWER}."
    )
    nothing_found = "[]"

    def request(self, questions: Sequence[str], first: int) -> str:
        """The questions."""
        return joined(questions)

    def parse(self, text: str) -> Action:
        """``<think>``, and then a call of ``web_search`` or an answer."""
        match = _OUTPUT.fullmatch(text)
        if match is None:
            return Action("malformed", "the output must be <think>, then <tool_call> or <answer>")
        state = match["state"].strip()
        if match["answer"] is not None:
            answer = match["answer"].strip()
            if not answer:
                return Action("malformed", "the answer is empty", state)
            return Action("answer", answer, state)
        try:
            call = _Call.model_validate_json(match["call"].strip())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the JSON"
            return Action("malformed", f"no call of web_search ({where}: {first['msg']})", state)
        queries = tuple(query for query in call.arguments.query if query)[:MOST_QUERIES]
        if not queries:
            return Action("malformed", "the call has no query", state)
        return Action("search", " ; ".join(queries), state, queries)

    def info(self, turns_left: int, results: Sequence[Result]) -> str:
        """The JSON of what was found for each query."""
        found = [
            {
                "search_query": result.query,
                "web_page_info_list": [
                    {"title": passage.title, "quick_summary": passage.text}
                    for passage in result.passages
                ],
            }
            for result in results
        ]
        return self.notice(turns_left, json.dumps(found, ensure_ascii=False))

    def notice(self, turns_left: int, sentence: str) -> str:
        """``sentence`` as what the tool returns."""
        return f"{RESPONSE}\n{sentence}\n{END_RESPONSE}"
