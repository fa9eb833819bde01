from pathlib import Path

import pytest
import yaml

from mem1.analysis.expected import Quote, load
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
    em = [expected.quote(n, 16, "em").value for n in (head.first, head.second)]
    peak = [expected.quote(n, 16, "peak").value for n in (head.first, head.second)]
    assert round(em[0] / em[1], 1) == head.em_ratio
    assert round(peak[1] / peak[0], 1) == head.peak_ratio


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
    sizes = {name: len(table.rows) for name, table in expected.tables()}
    assert sizes == {
        "Table 1": 22,
        "Table 2": 10,
        "Table 3": 8,
        "Table 3 (web)": 3,
        "Table 4": 14,
    }


def test_the_format_reward_stands_beside_what_it_is_compared_with(expected):
    got = [
        expected.format_quote(used, 2, metric)
        for used in (True, False)
        for metric in ("em", "peak")
    ]
    assert [quote.value for quote in got] == [0.466, 514.9, 0.709, 640]
    assert {quote.source for quote in got} == {"S"}
    assert got[2].value == expected.quote("MEM1-QA", 2, "em").value
    assert expected.format_quote(True, 8, "em") is None


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


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing.yaml does not exist"):
        load(tmp_path / "nothing.yaml")
