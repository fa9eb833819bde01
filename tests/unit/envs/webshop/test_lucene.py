import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.envs.webshop.lucene import STOP_WORDS, analyze, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size:M us:8, 1,000 a,b 3.5mm", ["size:M", "us", "8", "1,000", "a", "b", "3.5mm"]),
        ("don't o'clock 'quoted' 5'2", ["don't", "o'clock", "quoted", "5'2"]),
        ("black_style_9 _ t-shirt x/y", ["black_style_9", "t", "shirt", "x", "y"]),
        ("end. Next 39.37'' U.S.A.", ["end", "Next", "39.37", "U.S.A"]),
        ("中文 ひら カタカナ 한국", ["中", "文", "ひ", "ら", "カタカナ", "한국"]),
        ("★❤️❤️ a👨\u200d🎨b ✈✈", ["★", "❤️", "❤️", "a", "👨\u200d🎨", "b", "✈", "✈"]),
        ("1\ufe0f\u20e3 🇩🇪🇫🇷 👍🏽", ["1\ufe0f\u20e3", "🇩🇪", "🇫🇷", "👍🏽"]),
        ("café cafe\u0301 ½ ™", ["café", "cafe\u0301", "™"]),
        ("", []),
    ],
)
def test_words_end_where_unicode_says(text, expected):
    assert words(text) == expected


def test_long_words_are_cut():
    assert [len(word) for word in words("x" * 600)] == [255, 255, 90]


def test_terms_are_lower_case_stems_without_possessives_and_stop_words():
    text = "The Women's tops, for the WOMAN\u2019S running shoes"
    assert analyze(text) == ["women", "top", "woman", "run", "shoe"]


def test_there_are_33_stop_words():
    assert len(STOP_WORDS) == 33


@given(st.text(), st.text())
def test_lines_are_read_alone(one, other):
    assert words(f"{one}\n{other}") == words(one) + words(other)
