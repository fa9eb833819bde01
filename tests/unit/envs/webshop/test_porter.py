import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.envs.webshop.porter import stem

EXAMPLES = """
    caresses:caress ponies:poni ties:ti caress:caress cats:cat feed:feed agreed:agre
    plastered:plaster bled:bled motoring:motor sing:sing conflated:conflat troubled:troubl
    sized:size hopping:hop tanned:tan falling:fall hissing:hiss fizzed:fizz failing:fail
    filing:file happy:happi sky:sky relational:relat conditional:condit rational:ration
    valenci:valenc digitizer:digit radicalli:radic differentli:differ vileli:vile
    analogousli:analog vietnamization:vietnam predication:predic operator:oper feudalism:feudal
    decisiveness:decis hopefulness:hope callousness:callous formaliti:formal sensitiviti:sensit
    sensibiliti:sensibl triplicate:triplic formative:form formalize:formal electriciti:electr
    electrical:electr hopeful:hope goodness:good revival:reviv allowance:allow inference:infer
    airliner:airlin gyroscopic:gyroscop adjustable:adjust defensible:defens irritant:irrit
    replacement:replac adjustment:adjust dependent:depend adoption:adopt homologou:homolog
    communism:commun activate:activ angulariti:angular effective:effect bowdlerize:bowdler
    probate:probat rate:rate cease:ceas controll:control roll:roll
"""


# The examples of Porter's article, with all its steps.
@pytest.mark.parametrize(
    "pair",
    EXAMPLES.split(),
)
def test_examples_of_the_article(pair):
    word, expected = pair.split(":")
    assert stem(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("possibly", "possibl"), ("archaeology", "archaeolog"), ("is", "is")]
)
def test_changes_of_porters_own_code(word, expected):
    assert stem(word) == expected


@given(st.text(max_size=30))
def test_any_word_has_a_stem_that_is_no_longer(word):
    assert len(stem(word)) <= len(word)
