"""The shop for the agent loop: pages become observations with a hint, actions come as text.

An episode goes into a request and comes out of its answer, so the environment holds no state
and any number of episodes share it. Page text is data: it cannot close its block or speak as
the agent. What is too long is cut at the end of the page; the hint and the list of what can be
done stay.
"""

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace

from mem1.agent import protocol
from mem1.agent.formats.base import Format
from mem1.agent.formats.shop import REFUSED, SHOP
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Observation, Request
from mem1.envs.webshop import actions, pages
from mem1.envs.webshop.shop import Episode, Shop
from mem1.errors import InputError
from mem1.records import Task

_ROUND = str.maketrans("[]", "()")
_MARKS: dict[pages.Mode, str] = {  # of buttons, by how pages read
    "compact": r"[\[\]]",
    "text": r"\[\s*SEP\s*\]",
    "text_rich": r"\[\s*(?:clicked\s+)?button_?\s*\]",
}


def _without_marks(page: pages.Page, mode: pages.Mode) -> pages.Page:
    """``page`` in which nothing that sellers wrote looks like a button or another piece."""
    marks = re.compile(_MARKS[mode], re.IGNORECASE)
    return [
        node._replace(text=marks.sub(lambda found: found[0].translate(_ROUND), node.text))
        if node.kind in ("text", "option")
        else node
        for node in page
    ]


class WebShopEnvironment:
    """Answers the actions of many episodes at once. Holds no state between calls.

    ``loose``: spaces in actions do not count, as a word-level tokenizer puts them everywhere.
    """

    def __init__(
        self, shop: Shop, mode: pages.Mode, agent: Agent, codec: Codec, *, loose: bool = False
    ) -> None:
        self.shop = shop
        self._mode = mode
        self._max_info = agent.max_info
        self._codec = codec
        self._loose = loose

    def begin(self, task: Task) -> Episode:
        """The shop's search page.

        Raises:
            InputError: the goal of ``task`` is none of the shop's.
        """
        goal = task.goal
        if goal is None or goal.index >= len(self.shop.goals):
            raise InputError(
                f"Task {task.id} has no goal in this shop: name the tasks made for it."
            )
        if goal.instruction != self.shop.goals[goal.index].instruction:
            raise InputError(
                f"Task {task.id} has another instruction than goal {goal.index} of this shop: name "
                f"the tasks made for it."
            )
        return self.shop.reset(goal.index)

    def step(self, requests: Sequence[Request]) -> list[Observation]:
        """One observation for each request, in order; a purchase comes with its reward.

        Raises:
            InputError: ``agent.max_info`` does not hold what must not be cut.
        """
        return [self._answer(request) for request in requests]

    def observe(
        self, episode: Episode, turns_left: int, form: Format = SHOP["mem1"], remark: str = ""
    ) -> Observation:
        """The page of ``episode``, also of one that has just begun, behind a ``remark``.

        Raises:
            InputError: ``agent.max_info`` does not hold what must not be cut.
        """
        page = self.shop.page(episode)
        text = self._harmless(pages.render(_without_marks(page, self._mode), self._mode))
        tail = ""
        if self._mode != "compact" and not episode.done:  # compact pages mark what can be clicked
            tail = f"\nActions: {self._harmless(' | '.join(pages.actions(page)))}"
        names = [node.text for node in page if node.kind == "link"]
        ends = [0, *(match.end() for match in re.finditer(r"\S+", text))]

        def beginning(words: int) -> Observation:
            shown = f"{text[: ends[words]]}{tail}"
            info = form.notice(turns_left, f"{remark} {shown}" if remark else shown)
            info = self._codec.reply(info) if form.messages else info
            return Observation(self._codec.encode(info), info, names, episode)

        observation = beginning(len(ends) - 1)
        if len(observation.ids) > self._max_info:
            longest = bisect(
                range(len(ends) - 1), self._max_info, key=lambda n: len(beginning(n).ids)
            )
            observation = beginning(max(longest - 1, 0))
        if len(observation.ids) > self._max_info:
            raise InputError(
                f"agent.max_info is {self._max_info}, but the actions of a page take "
                f"{len(observation.ids)} tokens: raise agent.max_info."
            )
        return observation

    def _answer(self, request: Request) -> Observation:
        episode, action, form = request.episode, request.action, request.form
        if action.kind != "act":
            return self.observe(episode, request.turns_left, form, form.correction)
        typed = action.argument
        if self._loose:
            typed = actions.without_spaces(typed, pages.clickables(self.shop.page(episode)))
        step = self.shop.step(episode, typed)
        remark = "" if step.valid else getattr(form, "refused", REFUSED)
        seen = self.observe(step.episode, request.turns_left, form, remark)
        return replace(seen, reward=step.reward) if step.episode.done else seen

    def _harmless(self, text: str) -> str:
        return protocol.neutralize(self._codec.plain(text))
