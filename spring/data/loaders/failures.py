"""What the parsers raise on damaged files."""

import csv
import struct
import zlib
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from lxml.etree import LxmlError
from pypdfium2 import PdfiumError

# What the parsers raise on damaged files: the libraries' own errors, then Python's that pass through them.
_LIBRARY_ERRORS = (PdfiumError, LxmlError)
_FORMAT_ERRORS = (BadZipFile, zlib.error, struct.error, csv.Error, ParseError, EOFError, OSError)
_PYTHON_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
PARSER_ERRORS = (*_LIBRARY_ERRORS, *_FORMAT_ERRORS, *_PYTHON_ERRORS, RuntimeError)
