"""The format of requests and answers of retrieval servers: that of Search-R1's.

    POST /retrieve {"queries": ["..."], "topk": 3, "return_scores": true}
    -> {"result": [[{"document": {"id": "7", "contents": "\\"Title\\"\\ntext"}, "score": 1.5}]]}

one list for each query, best first; without ``return_scores`` the documents alone. The first
line of ``contents`` is the title, in quotation marks. A title that this cannot carry, such as
one of two lines, stands in fields of its own beside it.
"""

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field, StrictBool, StrictInt, StrictStr

from mem1.provenance import text_digest
from mem1.records import Passage
from mem1.retrieval.base import Hit

DIGEST_HEADER = "x-retriever-digest"  # which retriever answered: a server may be replaced


class Query(BaseModel):
    """A request. Fields that other clients add are ignored."""

    model_config = ConfigDict(extra="ignore")

    queries: Annotated[list[StrictStr], FailFast()]  # one error, not one for each of millions
    topk: StrictInt | None = Field(default=None, ge=1)
    return_scores: StrictBool = False


def document(passage: Passage) -> dict[str, str]:
    """``passage`` as a document from which ``passage_of`` makes the same passage again."""
    plain = {"id": passage.id, "contents": f'"{passage.title}"\n{passage.text}'}
    if passage_of(plain) == passage:
        return plain
    return {**plain, "title": passage.title, "text": passage.text}


def passage_of(document: Any) -> Passage:
    """The passage in ``document``; one without an id is named by the digest of its contents.

    Raises:
        ValueError: it is no document.
    """
    if not isinstance(document, dict):
        raise ValueError("a document is no object")
    contents = document.get("contents", "")
    title, text = document.get("title"), document.get("text")
    if not isinstance(contents, str):
        raise ValueError("the contents of a document are no text")
    if not isinstance(title, str) or not isinstance(text, str):
        if "contents" not in document:
            raise ValueError("a document has no contents")
        title, _, text = contents.partition("\n")
        if len(title) > 1 and title.startswith('"') and title.endswith('"'):
            title = title[1:-1]
    name = document.get("id", document.get("_id"))
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        name = text_digest(f"{title}\n{text}")[:16]
    return Passage(id=str(name), title=title, text=text)


def answer(hits: list[list[Hit]], scores: bool) -> dict[str, Any]:
    """The answer to a request."""
    if not scores:
        return {"result": [[document(hit.passage) for hit in found] for found in hits]}
    return {
        "result": [
            [{"document": document(hit.passage), "score": hit.score} for hit in found]
            for found in hits
        ]
    }


def hits_of(answer: Any, queries: int, k: int) -> list[list[Hit]]:
    """The hits in the answer to so many queries; a server that gives no scores gives ranks.

    Raises:
        ValueError: it is no answer to that request.
    """
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, list) or len(result) != queries:
        raise ValueError(f"no list of {queries} results")
    if not all(isinstance(found, list) for found in result):
        raise ValueError("a result is no list")
    return [[_hit(item, rank) for rank, item in enumerate(found[:k])] for found in result]


def _hit(item: Any, rank: int) -> Hit:
    if isinstance(item, dict) and "document" in item:
        score = item.get("score")
        if isinstance(score, bool) or not isinstance(score, (int, float)):
            raise ValueError("a score is no number")
        return Hit(passage_of(item["document"]), _finite(score))
    return Hit(passage_of(item), -float(rank))


def _finite(score: float) -> float:
    """``score`` as a float. JSON of Python has NaN and numbers of any length."""
    try:
        number = float(score)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a score is not finite")
    return number
