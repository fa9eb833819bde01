"""All prompt formats by name.

Training uses ``formats.short``, or in RL what ``prompt`` of its run names; in WebShop it uses
``formats.shop``.
"""

from mem1.agent.formats.base import Format
from mem1.agent.formats.deepresearcher import DeepResearcher
from mem1.agent.formats.instruct import Instruct
from mem1.agent.formats.search_r1 import SearchR1
from mem1.agent.formats.shop import SHOP, ShopInstruct
from mem1.agent.formats.short import SHORT
from mem1.config_systems import PromptFormat

FORMATS: dict[PromptFormat, Format] = {
    "mem1": SHORT["mem1"],
    "full": SHORT["full"],
    "search-r1": SearchR1(),
    "deepresearcher": DeepResearcher(),
    "instruct": Instruct(),
    "shop": SHOP["mem1"],
    "shop-full": SHOP["full"],
    "shop-instruct": ShopInstruct(),
}
