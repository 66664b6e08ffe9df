"""A passage as tantivy takes and keeps it."""

from typing import TYPE_CHECKING

import orjson

from spring.data.types import Passage

if TYPE_CHECKING:
    import tantivy


def schema() -> "tantivy.Schema":
    """The fields of a passage in tantivy's files."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("order", fast=True)  # its number in the index
    builder.add_bytes_field("passage", stored=True)
    return builder.build()


def register(index: "tantivy.Index") -> None:
    """Terms are parted by spaces and stay as they are."""
    import tantivy

    index.register_tokenizer("whitespace", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())


def document_of(terms: str, id: str, order: int, passage: bytes) -> "tantivy.Document":
    """A passage as tantivy takes it."""
    import tantivy

    document = tantivy.Document()
    document.add_text("terms", terms)
    if id:
        document.add_text("id", id)
    document.add_unsigned("order", order)
    document.add_bytes("passage", passage)
    return document


def pack(passage: Passage) -> bytes:
    """A passage as it is stored."""
    return orjson.dumps(
        [passage.document, passage.page, passage.text, passage.section, passage.title, passage.id, passage.index]
    )


def unpack(data: bytes) -> Passage:
    """A stored passage."""
    document, page, text, section, title, id, index = orjson.loads(data)
    return Passage(document, page, index, text, section, title, id)
