"""Errors whose message is one sentence fit to be shown to the user.

SpringError
 ├── DocumentError     a file that cannot be read as a document
 ├── PromptError       a question that cannot be asked
 ├── TokenFileError    a file of virtual tokens that cannot be used
 ├── BackboneError     a language model that cannot be loaded
 ├── ModelError        a loaded model that failed on a request
 └── BusyError         a request that finds no place in the queue
"""


class SpringError(Exception):
    """Base of all expected failures: says what was wrong and what to do about it."""


class DocumentError(SpringError):
    """A file that cannot be read as a document."""


class PromptError(SpringError):
    """A question or a setting with which nothing can be asked."""


class TokenFileError(SpringError):
    """A file of virtual tokens that cannot be used."""


class BackboneError(SpringError):
    """A language model that cannot be loaded or does not fit."""


class ModelError(SpringError):
    """A loaded model that failed on a request; the next request may well be answered."""


class BusyError(SpringError):
    """A request for which there is no place now."""
