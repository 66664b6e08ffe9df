"""RTF, e-mail, notebooks, subtitles, reStructuredText, Org, LaTeX and logs: their text without their marks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spring.data.loaders.content import Content
from spring.data.loaders.mail import load_eml
from spring.data.loaders.notebook import load_notebook
from spring.data.loaders.outline import load_org
from spring.data.loaders.registry import read_file
from spring.data.loaders.rst import load_rst
from spring.data.loaders.rtf import load_rtf
from spring.data.loaders.subtitles import load_subtitles
from spring.data.loaders.tex import load_tex
from spring.data.loaders.text import load_log
from spring.errors import DocumentError
from tests.support.files import write


def lines_of(content: Content) -> list[str]:
    (page,) = content.pages
    assert all(page.text[heading.start :].startswith(heading.text) for heading in page.headings)
    return page.text.split("\n")


def headings_of(content: Content) -> list[tuple[int, str]]:
    return [(heading.level, heading.text) for heading in content.pages[0].headings]


def test_rtf() -> None:
    content = load_rtf(
        rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}{\info{\title The caf\'e9}}{\pict "
        + b"ab" * 9_000
        + rb"}"
        rb"\f0\fs22 {\b The caf\'e9} is open on \u352?aturday.\par Bring a \i lantern\i0 {\super\chftn}"
        rb"{\footnote\pard\plain{\super\chftn} Of \{brass\}.}.\par"
        rb"\trowd Town\cell Height\cell\row}"
    )
    assert content.title == "The café"
    assert lines_of(content) == ["The café is open on Šaturday.", "Bring a lantern (Of {brass}.).", "Town | Height"]


def mail(body: bytes, *headers: str) -> bytes:
    return (
        "\n".join(["From: Anna <anna@mill.example>", "Subject: =?utf-8?q?The_caf=C3=A9?=", *headers, "", ""]).encode()
        + body
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            mail(b"The flower=\npot. Gr=C3=BC=C3=9Fe", "Content-Transfer-Encoding: quoted-printable"),
            "The flowerpot. Grüße",
        ),
        (mail("Мост".encode("koi8_r"), "Content-Type: text/plain; charset=koi8-r"), "Мост"),
        (mail("müde".encode("cp1252"), "Content-Type: text/plain; charset=nonsense"), "müde"),
        (mail("点灯".encode("iso2022_jp"), "Content-Type: text/plain; charset=iso-2022-jp"), "点灯"),
        (mail("点灯".encode("iso2022_jp")), "点灯"),
        (mail(b"<p>One<p hidden>gone</p><p>two", "Content-Type: text/html"), "One\ntwo"),
    ],
)
def test_mail(data: bytes, text: str) -> None:
    content = load_eml(data)
    assert content.title == "The café"
    assert lines_of(content) == ["The café", "From: Anna <anna@mill.example>", *text.split("\n")]


@pytest.mark.parametrize(
    ("kind", "parts", "lines"),
    [
        ("alternative", ["text/plain\n\n \n", "text/html\n\n<p>Open at nine."], ["Open at nine."]),
        (
            "mixed",
            [
                "text/plain\n\nOne.",
                "image/png; name=a.png\n\n7",
                "text/plain\n\nTwo.",
                "text/plain; name=b.txt\n\ngone",
            ],
            ["One.", "Two.", "Attachment: a.png", "Attachment: b.txt"],
        ),
    ],
)
def test_all_texts_of_a_mail_are_read(kind: str, parts: list[str], lines: list[str]) -> None:
    body = "".join(f"--b\nContent-Type: {part}\n" for part in parts) + "--b--\n"
    content = load_eml(mail(body.encode(), f"Content-Type: multipart/{kind}; boundary=b"))
    assert lines_of(content)[2:] == lines


def test_attachments_are_named_and_not_opened() -> None:
    parts = b"--b\n\nSee the plan.\n--b\nContent-Disposition: attachment; filename=plan.pdf\n\n%PDF-secret\n--b--\n"
    content = load_eml(mail(parts, "Content-Type: multipart/mixed; boundary=b"))
    assert lines_of(content)[2:] == ["See the plan.", "Attachment: plan.pdf"]
    assert content.warnings == ["attachments were not opened; save them and give them as files of their own"]


def test_a_notebook() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Tides\n", "High at *noon*."]},
        {
            "cell_type": "code",
            "source": "for x in y:\n    f(x)",
            "outputs": [
                {"output_type": "stream", "text": ["4 fathoms\n"]},
                {"output_type": "execute_result", "data": {"text/plain": "9" * 9_000, "image/png": "gone"}},
                {"output_type": "error", "traceback": ["gone"]},
            ],
        },
        {"cell_type": "code", "source": None, "outputs": [7]},
        7,
    ]
    content = load_notebook(json.dumps({"cells": cells, "metadata": {"gone": 1}}))
    assert content.title == "Tides"
    assert lines_of(content) == ["Tides", "High at noon.", "for x in y:", "    f(x)", "4 fathoms", "9" * 2_000]


def test_subtitles() -> None:
    srt = (
        "1\n00:00:01,000 --> 00:00:04,000\n<i>The ship left</i>\nat dawn\n\n2\n00:00:05,000 --> 00:00:08,000\n"
        "{\\an8}and nobody waved.\n\n3\n00:00:09,000 --> 00:00:10,000\nWhy\n\n"
        "4\n00:00:11,000 --> 00:00:12,000\n- Who?\n"
    )
    assert lines_of(load_subtitles(srt)) == ["The ship left at dawn and nobody waved.", "Why", "- Who?"]
    vtt = "WEBVTT\nX: y\n\nNOTE gone\n\n00:01.000 --> 00:02.000 align:left\n<v Anna>Hello <00:01.500><b>you</b>.\n"
    assert lines_of(load_subtitles(vtt)) == ["Anna: Hello you."]


@pytest.mark.parametrize(
    ("cues", "lines"),
    [
        (
            ["the lamp", "the lamp", "the lamp\nis<0:01.000><c> lit</c>", "is lit", "is lit\nat nine"],
            ["the lamp is lit at nine"],
        ),
        (["No.", "No.", "The oil", "is gone."], ["No.", "No.", "The oil is gone."]),
        (
            ["<v.loud Ann>Oil &amp; &lt;wick&gt;", "<v Ann>are here.</v>", "<v Ann>Light", "<v Jo>No"],
            ["Ann: Oil & <wick> are here.", "Ann: Light", "Jo: No"],
        ),
    ],
)
def test_lines_of_captions(cues: list[str], lines: list[str]) -> None:
    vtt = "WEBVTT\n\n" + "".join(f"0:0{n}.000 --> 0:0{n + 1}.000\n{cue}\n\n" for n, cue in enumerate(cues))
    assert lines_of(load_subtitles(vtt)) == lines


def test_cues_without_blank_lines_between_them() -> None:
    srt = "1\n00:00:01,000 --> 00:00:04,000\nThe ship\n2\n00:00:05,000 --> 00:00:08,000\nleft at 5\n"
    assert lines_of(load_subtitles(srt)) == ["The ship left at 5"]


def test_restructured_text() -> None:
    content = load_rst(
        """
======
 Sails
======

Hoist the *red* **flag** first, see :ref:`knots <k>`, `the page <https://a.example>`_ and note [1]_.

.. note:: Mind the wind.
   It is strong.

.. image:: flag.png
   :alt: gone

.. gone, a remark
   of two lines

Knots
-----

Tie a ``bowline``::

    def tie(rope):
        return rope

.. code-block:: python
   :linenos:

   tie(1)

+------+--------+
| Town | Height |
+======+========+
| Arn  | 12 m   |
+------+--------+

====  ======
Ship  Length
====  ======
Ada   9 m
====  ======

.. [1] A footnote.
.. _k: https://gone.example
"""
    )
    assert content.title == "Sails"
    assert headings_of(content) == [(1, "Sails"), (2, "Knots")]
    assert lines_of(content) == [
        "Sails",
        "Hoist the red flag first, see knots, the page and note [1].",
        "Mind the wind.",
        "It is strong.",
        "Knots",
        "Tie a bowline:",
        "def tie(rope):",
        "    return rope",
        "tie(1)",
        "Town | Height",
        "Arn | 12 m",
        "Ship | Length",
        "Ada | 9 m",
        "[1] A footnote.",
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            ".. py:function:: oil(lamp)\n                 oil(lamp, *, drops=1)\n   :noindex:\n\n   Fill it.\n\n"
            "   :param lamp: which\n   :returns: none\n\n   .. versionchanged::\n      Faster.",
            ["oil(lamp)", "oil(lamp, *, drops=1)", "Fill it.", ":param lamp: which", ":returns: none", "Faster."],
        ),
        (
            ".. tab-item:: Linux\n   :sync: a\n\n   Run::\n\n       make\n\n   .. raw:: html\n\n      gone",
            ["Linux", "Run:", "make"],
        ),
        (
            "- Lamp\n\n  .. note:: :ref:`Hot <h>` glass\n\n  .. image:: a.png\n     :alt: gone\n\n  it",
            ["- Lamp", "Hot glass", "it"],
        ),
        ("... and so on\n\n.. |a| replace:: gone\n\n.. only:: html\n\n   On the web", ["... and so on", "On the web"]),
        (
            ".. list-table:: Ships\n   :widths: 1 2\n\n   * - Name\n     - Length\n       in m\n   * - Ada\n     - 9\n",
            ["Ships", "Name | Length in m", "Ada | 9"],
        ),
    ],
)
def test_directives_of_any_name_are_read(text: str, lines: list[str]) -> None:
    assert lines_of(load_rst(text)) == lines


def test_org() -> None:
    content = load_org(
        """#+TITLE: The sails
#+OPTIONS: gone
* TODO [#A] Hoisting :tag:other:
:PROPERTIES:
:ID: gone
:END:
Hoist the *red* flag, see [[https://a.example][the page]].
# a remark
** Knots
| Town | Height |
|------+--------|
| Arn  | 12 m   |
#+BEGIN_SRC python
def tie():
    pass
#+END_SRC
- one
"""
    )
    assert content.title == "The sails"
    assert headings_of(content) == [(1, "Hoisting"), (2, "Knots")]
    lines = ["Hoisting", "Hoist the red flag, see the page.", "Knots", "Town | Height", "Arn | 12 m"]
    assert lines_of(content) == [*lines, "def tie():", "    pass", "- one"]


def test_latex() -> None:
    content = load_tex(
        r"""\documentclass[12pt]{article} % gone
\newcommand{\ship}{the \emph{Ada}}
\title{The Sails}
\begin{document}
\maketitle
\section{Hoisting}\label{gone}
Hoist the \textbf{red} flag of \ship{} at 5\,\% ~\cite{gone}. G\"ottingen, caf\'{e}, ``yes''---no.\footnote{Or not.}
\begin{itemize}
\item one
\item two $x^2 \le 4$
\end{itemize}
\subsection{Heights}
\begin{tabular}{l|r}
\hline
Town & Height \\
Arn & 12 m \\ \hline
\end{tabular}
\begin{verbatim}
def tie():
    % kept
\end{verbatim}
\end{document}
gone"""
    )
    assert content.title == "The Sails"
    assert headings_of(content) == [(1, "The Sails"), (2, "Hoisting"), (3, "Heights")]
    assert lines_of(content) == [
        "The Sails",
        "Hoisting",
        "Hoist the red flag of the Ada at 5 % . Göttingen, café, “yes”—no. (Or not.)",
        "- one",
        r"- two x^2 \le 4",
        "Heights",
        "Town | Height",
        "Arn | 12 m",
        "def tie():",
        "    % kept",
    ]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (r"From \$450 to \$1{,}200, or $x < \$5$ in all.", [r"From $450 to $1,200, or x < \$5 in all."]),
        (r"See \verb|100% oil| for it, \\\verb+a&b~+.", ["See 100% oil for it,", "a&b~."]),
        (
            r"At \url{http://a.b/~c%20\_d} and \href{http://a.b/%20}{there} now % gone \verb|",
            ["At http://a.b/~c%20_d and there now"],
        ),
        (r"\newcommand{\site}{\url{a.b/%}}\begin{document}\site{} is $a \url{%}$.", ["a.b/% is a %."]),
        (r"\begin{tabular}{l}\verb|a & b| & \url{c%} \\ \end{tabular}", ["a & b | c%"]),
        (
            r"\title{Lamps\thanks{Gone.}}\author{Ann Bell\thanks{The mill} \and Jo}\date{3 May}\begin{document}Oil.",
            ["Lamps", "Ann Bell (The mill), Jo", "3 May", "Oil."],
        ),
        (r"\title{Lamps}\date{\today}\begin{document}Oil.", ["Lamps", "Oil."]),
    ],
)
def test_latex_of_money_addresses_and_authors(source: str, lines: list[str]) -> None:
    assert lines_of(load_tex(source)) == lines


def test_a_log_is_rows() -> None:
    (page,) = load_log("10:00 the lamp  is lit\n\n10:01 it burns\n").pages
    assert page.text == "10:00 the lamp is lit\n10:01 it burns"
    assert page.rows


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.eml", b"lamp", "it is not what its name says, an e-mail"),
        ("a.ipynb", b"lamp", "it is not what its name says, a notebook (not valid JSON)"),
        ("a.ipynb", b'{"nbformat": 4}', "it is not what its name says, a notebook (it has no cells)"),
        ("a.ipynb", b"[" * 100_000, "it is not what its name says, a notebook (nested too deeply)"),
        ("a.xml", b"<lamp", "it could not be read and is probably damaged"),
        ("a.eml", mail(b"", "To: " + "(" * 20_000), "it could not be read and is probably damaged"),
        ("a.xlsx", b"lamp", "it is not what its name says, a .xlsx file"),
    ],
)
def test_wrong_files(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        read_file(write(tmp_path / name, data))
    assert message in str(error.value)


@pytest.mark.parametrize("load", [load_rst, load_org, load_tex, load_subtitles])
@pytest.mark.parametrize(
    "text", ["", "\n", "{", "*", "..", "`a", "|", "\\", "$", "\\begin{x}", "[[", "#+begin_src\nkept"]
)
def test_unfinished_marks_are_text(load: Callable[[str], Content], text: str) -> None:
    assert isinstance(load(text), Content)
