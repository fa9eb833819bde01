from pathlib import Path

import pytest
import yaml

from mem1.analysis.expected import TITLES, Quote, load
from mem1.errors import InputError

FILE = Path(__file__).parents[3] / "config" / "expected.yaml"


@pytest.fixture(scope="module")
def expected():
    return load(FILE)


def test_peak_is_scaled_to_tokens(expected):
    got = expected.quote("MEM1-QA", 16, "peak")
    assert got == Quote(pytest.approx(1040), pytest.approx(9), "P", "Table 1")


def test_headline_ratios_follow_from_table_1(expected):
    head = expected.headline
    (em, small, fast), (em_of_14b, large, slow) = (
        [expected.need("table1", name, 16, metric).value for metric in ("em", "peak", "seconds")]
        for name in (head.first, head.second)
    )
    assert round(em / em_of_14b, 1) == head.em_ratio == 3.5
    assert round(large / small, 1) == head.peak_ratio == 3.7
    assert round(small / large, 3) == head.peak_share == 0.271
    assert round(fast / slow, 3) == head.time_share == 0.293


def test_em_per_question_falls_as_the_notes_say(expected):
    shares = [100 * expected.need("table1", "MEM1-QA", n, "em").value / n for n in (2, 16)]
    assert [round(share) for share in shares] == [35, 12]
    assert any("35 %" in note and "12 %" in note for note in expected.notes_on("table1"))


def test_three_systems_are_above_the_one_called_highest(expected):
    own = expected.need("table3", "MEM1-QA", 1, "em").value
    names = [row.name for row in expected.table3.rows]
    assert sum(expected.need("table3", name, 1, "em").value > own for name in names) == 3


def test_tables_1_and_4_differ_at_16_objectives_as_the_notes_say(expected):
    values = [expected.need(t, "MEM1-QA", 16, "em").value for t in ("table1", "table4")]
    assert values == [1.97, 1.9]
    assert any("1.97" in note and "1.900" in note for note in expected.notes_on("table4"))


def test_webshop_ratios_follow_from_table_2(expected):
    ratios = [
        expected.need("table2", "AgentLM-7B", None, metric).value
        / expected.need("table2", "MEM1-WebShop", None, metric).value
        for metric in ("peak", "dependency", "seconds")
    ]
    assert [round(ratio, 2) for ratio in ratios] == [2.77, 1.87, 1.5]


def test_table_1_goes_before_table_4(expected):
    assert expected.quote("MEM1-QA", 16, "em").value == 1.97


def test_second_hand_numbers_keep_their_label(expected):
    assert expected.quote("MEM1-QA", 3, "em").source == "S"
    assert expected.quote("Search-R1 (2 objectives)", 16, "em").source == "I"


def test_web_results_are_not_mixed_with_wiki(expected):
    assert expected.quote("DeepResearcher", 1, "em").value == 0.419


def test_what_is_not_printed_is_none(expected):
    assert expected.quote("MEM1-QA", 2, "dependency") is None


def test_tables_have_all_rows(expected):
    assert {name: len(expected.table(name).rows) for name in TITLES} == {
        "table1": 22,
        "table2": 10,
        "table3": 8,
        "table3_web": 3,
        "table4": 14,
        "format_reward": 2,
    }


def test_the_format_reward_stands_beside_what_it_is_compared_with(expected):
    got = [
        expected.cell("format_reward", name, 2, metric)
        for name in ("with", "without")
        for metric in ("em", "peak")
    ]
    assert [quote.value for quote in got] == [0.466, 514.9, 0.709, 640]
    assert {quote.source for quote in got} == {"S"}
    assert got[2].value == expected.quote("MEM1-QA", 2, "em").value
    assert expected.cell("format_reward", "with", 8, "em") is None


def test_the_format_reward_needs_both_sides(tmp_path):
    path = broken(tmp_path, lambda v: v["format_reward"]["rows"].pop())
    with pytest.raises(InputError, match="rows called with and without"):
        load(path)


def test_an_unknown_row_is_refused(expected):
    with pytest.raises(InputError, match="no row 'MEM2'"):
        expected.quote("MEM2", 2, "em")


def broken(tmp_path, change):
    values = yaml.safe_load(FILE.read_text())
    change(values)
    path = tmp_path / "expected.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_an_unknown_key_is_refused(tmp_path):
    path = broken(tmp_path, lambda v: v["table1"]["rows"][0].update(exact=1))
    with pytest.raises(InputError, match=r"table1.rows.0.exact: unknown key"):
        load(path)


def test_a_column_without_unit_is_refused(tmp_path):
    path = broken(tmp_path, lambda v: v["table1"]["units"].pop("peak"))
    with pytest.raises(InputError, match="units has no entry for 'peak'"):
        load(path)


def test_a_row_that_is_there_twice_is_refused(tmp_path):
    path = broken(tmp_path, lambda v: v["table1"]["rows"].append({"name": "MEM1-QA", "horizon": 2}))
    with pytest.raises(InputError, match="'MEM1-QA' is there twice for 2 objectives"):
        load(path)


@pytest.mark.parametrize("value", [".nan", ".inf"])
def test_what_is_no_number_is_refused(tmp_path, value):
    number = yaml.safe_load(value)
    path = broken(tmp_path, lambda v: v["table1"]["rows"][0].update(em=number))
    with pytest.raises(InputError, match=r"table1.rows.0.em.value"):
        load(path)


def test_a_missing_number_is_an_empty_cell_and_refused_where_it_decides(tmp_path):
    expected = load(broken(tmp_path, lambda v: v["table1"]["rows"][20].pop("peak")))
    assert expected.cell("table1", "MEM1-QA", 16, "peak") is None
    with pytest.raises(InputError, match="no peak of 'MEM1-QA' at 16 objectives in table1"):
        expected.need("table1", "MEM1-QA", 16, "peak")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing.yaml does not exist"):
        load(tmp_path / "nothing.yaml")
