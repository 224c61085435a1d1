"""The Hugging Face hub, for models and data sets: its errors with the key path of the study that asked.

The cache is the hub's own (HF_HOME is its place; HF_HUB_OFFLINE and HF_TOKEN are obeyed). Importing this
loads no library of the hub.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rlv.errors import RlvError
from rlv.store import file_digest

SITE = "https://huggingface.co"
# Seconds that `check_access` waits for an answer; it asks once; fetching asks again and again.
PATIENCE = 5.0
# The cache has folders of these names. Studies are checked when they are read, but crates are not.
_REPO = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Asked:
    """What was asked of the hub, and the key path of the study that asks for it.

    `what` is "model" or "data set"; `error` is raised; `local` is the advice to name a local copy instead.
    `again`: what fetches it where there is a network, if no study asks for it.
    """

    what: str
    repo: str
    revision: str
    key: str
    study: str
    error: type[RlvError]
    local: str
    again: str | None = None

    @property
    def page(self) -> str:
        """Its page on the hub."""
        return f"{SITE}/datasets/{self.repo}" if self.what == "data set" else f"{SITE}/{self.repo}"


@contextmanager
def explained(asked: Asked) -> Iterator[None]:
    """Within the block the hub's errors become `asked.error`, with the key path and a remedy."""
    import httpx2
    from huggingface_hub import errors

    key, repo, fetching = asked.key, asked.repo, asked.again or f"rlv fetch {asked.study}"
    unreachable = (
        f"{key}: {repo} at {asked.revision} is not in the cache of the hub, and the hub cannot be reached "
        f"from here; run `{fetching}` on a machine with a network that shares this one's HF_HOME, or "
        f"{asked.local}"
    )
    try:
        yield
    except errors.GatedRepoError as error:
        raise asked.error(
            f"{key}: {repo} is gated, and this account has no access; accept its terms at {asked.page}, then "
            f"`hf auth login` (or set HF_TOKEN) and `{fetching}`, or {asked.local}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise asked.error(
            f"{key}.revision: {repo} has no commit {asked.revision}; one of {asked.page}/commits/main "
            "would do"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise asked.error(
            f"{key}.repo: no {asked.what} {repo} on the hub, or it is private and this account may not see "
            "it; check the name, or `hf auth login`"
        ) from error
    except errors.HFValidationError as error:
        raise asked.error(f"{key}.repo: {error}") from error
    except (errors.EntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise asked.error(unreachable) from error
    except errors.HfHubHTTPError as error:
        answer = str(error).splitlines()[0]
        raise asked.error(
            f"{key}: {repo} at {asked.revision}: the hub refused ({answer}); try again"
        ) from error
    except (httpx2.HTTPError, ConnectionError, TimeoutError) as error:
        raise asked.error(unreachable) from error


def check_access(asked: Asked) -> None:
    """Ask the hub whether this commit exists and may be read, without fetching anything: seconds at most.

    Raises `asked.error` as `explained` does: no network, no such repository or commit, gated without access
    (everybody may ask what a gated repository is, but not for its files).
    """
    from huggingface_hub import HfApi, errors
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    kind = "dataset" if asked.what == "data set" else "model"
    with explained(asked):
        api = HfApi()
        try:
            api.repo_info(asked.repo, repo_type=kind, revision=asked.revision, timeout=PATIENCE)
        except errors.HFValidationError:
            raise
        except ValueError as error:  # a page that is not the hub's, as of a network's log-in
            raise ConnectionError(str(error)) from error
        # `HfApi.auth_check` with a limit: it has none of its own.
        address = f"{api.endpoint}/api/{kind}s/{asked.repo}/auth-check"
        hf_raise_for_status(get_session().get(address, headers=build_hf_headers(), timeout=PATIENCE))


def check_address(repo: str, revision: str, error: type[RlvError]) -> None:
    """Raises `error` if a repository or commit could be another place of the cache, or of this machine."""
    if not _REPO.fullmatch(repo) or ".." in repo:
        raise error(f"{repo[:100]!r}: no repository of the hub; owner/name would do")
    if not _COMMIT.fullmatch(revision):
        raise error(f"{repo}: {revision[:100]!r} is no commit; 40 hexadecimal digits would do")


def check_blob(path: Path, error: type[RlvError]) -> Path:
    """The file of the cache behind an entry; large ones are named by their SHA-256, which is compared.

    Raises `error` if they differ.
    """
    blob = path.resolve()
    if len(blob.name) == 64 and file_digest(blob) != blob.name:
        raise error(f"{blob}: differs from what the hub published; delete it and fetch it again")
    return blob
