"""Fetch one file of the Hugging Face hub, or find it in the local cache, or send files; errors as one clause."""

from logging import ERROR
from pathlib import Path

from httpx2 import HTTPError  # what huggingface_hub asks with
from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token, hf_hub_download, try_to_load_from_cache
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
from huggingface_hub.utils import disable_progress_bars, logging  # type: ignore[attr-defined]  # exported by a list


class HubError(Exception):
    """Why a file cannot be fetched or sent, and what to do, as a clause; callers make a sentence of it."""


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
        raise HubError(f"{repository} could not be read from the hub ({_reason(error)})") from error


def upload(folder: Path, repository: str, private: bool = False) -> str:
    """Send the files of a folder to a model repository in one commit; it is made if it is not there.

    Args:
        folder: files only.
        repository: `owner/name`.
        private: whether a new repository is seen by its owner alone.

    Returns:
        The address of the commit.

    Raises:
        HubError: they cannot be sent.

    """
    logging.set_verbosity(ERROR)
    disable_progress_bars()  # the files are small, and an error stands on a line of its own
    if get_token() is None:
        raise HubError("set HF_TOKEN to a token of your account that may write")
    api = HfApi(endpoint=constants.ENDPOINT)
    files = [CommitOperationAdd(path.name, str(path)) for path in sorted(folder.iterdir())]
    try:
        api.create_repo(repository, private=private or None, exist_ok=True)
        return str(api.create_commit(repository, files, commit_message="Virtual tokens").commit_url)
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise HubError(f"the account of your HF_TOKEN may not write to {repository}") from error
        raise HubError(f"{repository} did not take them ({_reason(error)})") from error
    except OfflineModeIsEnabled as error:
        raise HubError("HF_HUB_OFFLINE is set, so the hub is not asked") from error
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception) else error
        raise HubError(f"{repository} did not take them ({_reason(cause)})") from error


def _reason(error: Exception) -> str:
    """The first line of an error's text."""
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def cached(repository: str, file: str) -> Path | None:
    """The path of a file in the local cache of the hub, if it is there; no network access."""
    path = try_to_load_from_cache(repository, file)
    return Path(path) if isinstance(path, str) else None
