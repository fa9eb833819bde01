"""Work whose engine is lost begins anew, a stated number of times."""

import pytest

from mem1.agent.engines.vllm.base import LostError, repeated
from mem1.errors import InputError


class Work:
    """Fails as often as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.revived: list[str] = []

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_work_begins_anew_once_its_engine_is_revived() -> None:
    work = Work(LostError("gone."), LostError("gone again."))
    assert repeated(work, work.revived.append, restarts=2) == "done"
    assert work.revived == ["gone.", "gone again."]


def test_an_engine_that_is_lost_too_often_is_one_sentence() -> None:
    work = Work(*[LostError("gone.")] * 3)
    with pytest.raises(LostError, match=r"^gone, also after 2 new starts \(vllm\.restarts\)"):
        repeated(work, work.revived.append, restarts=2)
    assert len(work.revived) == 2


def test_another_failure_is_not_repeated() -> None:
    work = Work(InputError("bad"))
    with pytest.raises(InputError, match="bad"):
        repeated(work, work.revived.append, restarts=2)
    assert work.revived == []
