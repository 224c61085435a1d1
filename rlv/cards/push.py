"""Uploading an exported reasoner to the hub: private, unless it is asked for in so many words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rlv.cards.export import export, trained_of
from rlv.errors import ModelError
from rlv.hub import SITE, check_address
from rlv.plan import Plan
from rlv.store import Store


def push(reasoner: str, repo: str, plan: Plan, store: Store, *, public: bool = False) -> str:
    """Upload a reasoner with its card as one commit; returns a line with its address.

    A repository that is not there is made, private unless `public`. One that is there keeps its visibility,
    and is refused if everybody may read it and `public` was not asked for. Raises ModelError with what the
    hub says, and as `export` does.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    check_address(repo, "0" * 40, ModelError)
    trained_of(plan, reasoner)
    api = HfApi()
    with _explained(repo):
        try:
            private = bool(api.repo_info(repo).private)
        except RepositoryNotFoundError:
            private = None
        if private is False and not public:
            raise ModelError(
                f"{repo}: everybody may read this repository; --public uploads there all the same, or name "
                "another one"
            )
        with TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            export(reasoner, plan, store, folder, repo)
            if private is None:
                api.create_repo(repo, private=not public, exist_ok=True)
            message = f"{reasoner} of study {plan.study.name}"
            commit = api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
    readers = "private" if (not public if private is None else private) else "public"
    return f"{reasoner}: {SITE}/{repo} ({readers}), commit {commit.oid}"


@contextmanager
def _explained(repo: str) -> Iterator[None]:
    """Within the block errors of the hub become ModelErrors with a remedy."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.LocalTokenNotFoundError as error:
        raise ModelError(f"{repo}: not logged in; `hf auth login`, or set HF_TOKEN") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        said = next(iter(str(error).splitlines()), "")
        if status in (401, 403):
            raise ModelError(
                f"{repo}: this account may not write there ({said}); `hf auth login` with a token that may "
                "write, or name a repository of your own"
            ) from error
        raise ModelError(f"{repo}: the hub refused ({said}); try again") from error
    except (httpx2.HTTPError, errors.OfflineModeIsEnabled, ConnectionError, TimeoutError) as error:
        raise ModelError(f"{repo}: the hub cannot be reached from here ({error})") from error
