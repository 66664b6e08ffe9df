"""Parse XML of strangers: no entities, no document type definitions, nothing from elsewhere."""

import re
from typing import Any

from lxml import etree

from spring.data.loaders.archive import has_doctype
from spring.errors import DocumentError

_DTD = "it holds a document type definition, which is not read; save it again without one"
_CROWDED = "one of its tags has too many attributes; save it again, or give a smaller part of it"
_CROWDED_TAG = re.compile(r"<[A-Za-z](?:[^<>=]*+=){20000}")


def check_tags(markup: str) -> None:
    """Refuse a tag with very many attributes: libxml2 takes time quadratic in their number."""
    if _CROWDED_TAG.search(markup):
        raise DocumentError(_CROWDED)


def parse_xml(data: bytes, doctype: bool = False) -> Any:
    """The root of the tree. doctype: whether a document type definition may stand there, of which nothing is used.

    Raises:
        DocumentError: there is one and none may.
        lxml.etree.XMLSyntaxError: it is no XML.

    """
    if not doctype and has_doctype(data):
        raise DocumentError(_DTD)
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)
