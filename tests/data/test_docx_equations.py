"""Equations of Word files as a line of text."""

import pytest
from lxml import etree

from spring.data.loaders.docx import load_docx
from spring.data.loaders.docx_equations import equation_text
from tests.support.word import DECLARED, paragraph, run, word_package


def r(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


def part(name: str, *children: str) -> str:
    return f"<m:{name}>{''.join(children)}</m:{name}>"


def e(text: str, name: str = "e") -> str:
    return part(name, r(text))


def has(name: str, **values: str) -> str:
    return part(f"{name}Pr", *(f'<m:{key} m:val="{text}"/>' for key, text in values.items()))


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (r("F=m") + r("a"), "F=ma"),
        (r("A=π") + part("sSup", e("r"), e("2", "sup")), "A=πr^2"),
        (part("sSub", e("x"), e("i+1", "sub")), "x_(i+1)"),
        (part("sSubSup", e("x"), e("i", "sub"), e("2", "sup")) + r("y"), "x_i^2 y"),
        (part("sSup", part("e", part("f", e("a", "num"), e("b", "den"))), e("2", "sup")), "(a/b)^2"),
        (part("sPre", e("6", "sub"), e("14", "sup"), e("C")), "_6^14 C"),
        (part("f", e("x+1", "num"), e("2", "den")), "(x+1)/2"),
        (r("2") + part("f", e("1", "num"), e("2", "den")) + r("m"), "2 1/2 m"),
        (part("d", part("e", part("f", has("f", type="noBar"), e("n", "num"), e("k", "den")))), "(n¦k)"),
        (part("rad", part("deg"), e("2π")), "√2π"),
        (part("rad", part("deg"), e("a+b")), "√(a+b)"),
        (part("rad", e("3", "deg"), e("x")), "√(3&x)"),
        (part("nary", has("nary", chr="∑"), e("i=1", "sub"), e("n", "sup"), e("i")), "∑_(i=1)^n i"),
        (part("nary", part("sub"), part("sup"), e("x")), "∫ x"),
        (part("d", has("d", begChr="[", endChr="]", sepChr=","), e("a"), e("b")), "[a,b]"),
        (part("func", e("sin", "fName"), e("x")), "sin x"),
        (
            part("func", part("fName", part("limLow", e("lim"), e("n→∞", "lim"))), part("e", part("d", e("n")))),
            "lim_(n→∞)(n)",
        ),
        (part("m", part("mr", e("a"), e("b")), part("mr", e("c"), e("d"))), "a, b; c, d"),
        (part("eqArr", e("a&amp;=b"), e("c&amp;=d")), "a=b; c=d"),
        (part("acc", has("acc", chr="\u20d7"), e("v")), "v\u20d7"),
        (part("bar", e("x")), "x\u0305"),
        (part("groupChr", e("x+y")), "x+y"),
        (part("borderBox", e("x")) + part("unknown", r("y")), "xy"),
        (part("f"), "/"),
    ],
)
def test_equations(xml: str, text: str) -> None:
    assert equation_text(etree.fromstring(f"<m:oMath {DECLARED}>{xml}</m:oMath>")) == text


def test_equations_in_a_paragraph_and_by_themselves() -> None:
    equation = part("oMath", r("a=b"))
    body = paragraph(run("So ") + equation + run(" holds.")) + paragraph(equation + equation)
    body += paragraph(run("Now") + part("oMathPara", equation, equation) + run("ends."))
    text = load_docx(word_package(body)).pages[0].text
    assert text.split("\n") == ["So a=b holds.", "a=b a=b", "Now", "a=b", "a=b", "ends."]
