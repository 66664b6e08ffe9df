"""Fetch one file of the Hugging Face hub, or find it in the local cache; errors as one clause."""

from logging import ERROR
from pathlib import Path

from httpx2 import HTTPError  # what huggingface_hub asks with
from huggingface_hub import constants, get_token, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import logging


class HubError(Exception):
    """Why a file cannot be fetched and what to do, as a clause; callers make a sentence of it."""


def fetch(repository: str, file: str, revision: str | None = None) -> Path:
    """The path of a file on this machine, fetched if it is not there yet.

    Callers fetch a repository's smallest file first: if the repository cannot be used, that already fails.

    Args:
        repository: `owner/name` of a model repository.
        file: its path in there.
        revision: a branch, tag or commit; None: the newest.

    Raises:
        HubError: it cannot be fetched.

    """
    logging.set_verbosity(ERROR)  # no six lines about retries; the error says it in one
    address = f"{constants.ENDPOINT}/{repository}"
    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except GatedRepoError as error:
        account = (
            "ask for access with the account of your HF_TOKEN"
            if get_token()
            else ("accept its terms and set HF_TOKEN to a token of your account")
        )
        raise HubError(f"{repository} is gated, so open {address} and {account}") from error
    except RevisionNotFoundError as error:
        raise HubError(f"{repository} has no revision {revision}, so look for one in {address}/commits") from error
    except RepositoryNotFoundError as error:
        raise HubError(f"the hub has no {repository}, or it is private and needs HF_TOKEN") from error
    except HFValidationError as error:
        raise HubError(f"{repository!r} is neither a known name nor an id on the hub") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise HubError(f"the hub cannot be reached, and {repository} is not in its cache here") from error
    except EntryNotFoundError as error:
        raise HubError(f"{repository} has no file {file}") from error
    except (HfHubHTTPError, HTTPError, OSError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise HubError(f"{repository} could not be read from the hub ({reason})") from error


def cached(repository: str, file: str) -> Path | None:
    """The path of a file in the local cache of the hub, if it is there; no network access."""
    path = try_to_load_from_cache(repository, file)
    return Path(path) if isinstance(path, str) else None
