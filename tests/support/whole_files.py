"""A small good file of each format that the corpora lack; the fuzzer breaks them."""

from collections.abc import Callable, Mapping

from tests.support.files import saved, word_file
from tests.support.office import epub, odt, pptx, xlsx

_ODT = """<text:h>Trees</text:h><text:p>Forty<text:s text:c='3'/>pear<text:tab/>trees</text:p><table:table>
<table:table-row><table:table-cell><text:p>a</text:p></table:table-cell></table:table-row></table:table>"""
_RTF = rb"""{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\info{\title Caf\'e9}}\f0{\b Lamps} burn \u352?oil.\par
{\pict abab}\trowd Town\cell Height\cell\row}"""
_EML = b"""From: Anna <a@b.example>
Subject: =?utf-8?q?Caf=C3=A9?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=koi8-r
Content-Transfer-Encoding: quoted-printable

<p>The lamp=20burns.</p>
--b
Content-Disposition: attachment; filename=plan.pdf

%PDF
--b--
"""
_JSON = b'{"title": "Lamps", "tower": {"height": 12.5, "keepers": [{"name": "Ulla", "since": 1932}, null]}}'
_IPYNB = rb"""{"cells": [{"cell_type": "markdown", "source": ["# Tides\n", "High."]}, {"cell_type": "code", "source":
"f(x)", "outputs": [{"output_type": "stream", "text": ["4"]}, {"data": {"text/plain": "9"}}]}], "metadata": {}}"""
_XML = b"""<?xml version='1.0' encoding='utf-8'?><a xmlns:b='c'><b:title>Lamps</b:title>
<k id='1'>Ulla <i>and</i> Orlo</k><k><n>7</n><n>8</n></k><![CDATA[oil]]></a>"""
_RST = b"""=====
Sails
=====

Hoist *red* :ref:`knots <k>`::

    tie()

.. note:: Mind the wind.

Table
-----

+---+---+
| a | b |
+===+===+
| 1 | 2 |
+---+---+

=== ===
c   d
=== ===
1   2
=== ===
"""
_ORG = b"""#+TITLE: Sails
* TODO [#A] Hoisting :tag:
:PROPERTIES:
:ID: x
:END:
Hoist the *red* [[a][page]].
| a | b |
|---+---|
#+BEGIN_SRC python
def tie():
#+END_SRC
- one
"""
_TEX = rb"""\documentclass{a}\newcommand{\x}{lamp}\title{Lamps}\begin{document}\section{Oil \emph{of} \x} It's \'e 5\%.
$x^2$ \[y\] \footnote{Counted.} \begin{tabular}{ll}a & b \\ \hline c & d\end{tabular}
\begin{itemize}\item one\end{itemize} % remark
\begin{verbatim}f(x)\end{verbatim}\cite{a}\end{document}"""
_SRT = b"""1
00:00:01,000 --> 00:00:04,000
<i>The ship left</i>
at dawn

2
00:00:05,000 --> 00:00:08,000
- Who?
"""

WHOLE: Mapping[str, Callable[[], bytes]] = {
    ".docx": lambda: saved(word_file()),
    ".xlsx": xlsx,
    ".pptx": pptx,
    ".epub": epub,
    ".odt": lambda: odt(_ODT),
    ".rtf": lambda: _RTF,
    ".eml": lambda: _EML,
    ".json": lambda: _JSON,
    ".ipynb": lambda: _IPYNB,
    ".xml": lambda: _XML,
    ".rst": lambda: _RST,
    ".org": lambda: _ORG,
    ".tex": lambda: _TEX,
    ".srt": lambda: _SRT,
}
