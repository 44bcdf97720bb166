"""Backups judged and put back, without a server and without opening the store."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lastcall.authenticators.vault import KeyFileError, open_vault
from lastcall.authority.backup import fingerprint
from lastcall.domain.backup import BACKUP_TYP, Manifest, manifest_of
from lastcall.domain.errors import StoreUnavailable
from lastcall.main.errors import CannotStart
from lastcall.settings import Configured
from lastcall.signing import SigningKeysUnusable, public_keys
from lastcall.stores.sqlite.copying import DATABASE, MANIFEST
from lastcall.stores.sqlite.examining import Damaged, examine
from lastcall.stores.sqlite.restoring import in_the_way, restore
from lastcall.verify.jose import Keys, NotGenuine, keys_of, opened, plain_json

LARGEST = 1 << 20
"""Bytes of a manifest."""


@dataclass(slots=True)
class Verdict:
    """What was found right, and the first thing that was not; `wrong` empty is a good backup.

    `manifest` and `issuer` are the signed ones, and absent unless the signature is good.
    """

    manifest: Manifest | None = None
    issuer: str = ""
    checked: list[str] = field(default_factory=list)
    wrong: str = ""


def own_keys(configured: Configured) -> str:
    """The public keys beside the store, as a JWKS. Raises `CannotStart`."""
    try:
        return msgspec.json.encode(public_keys(configured.signing_keys)).decode("ascii")
    except SigningKeysUnusable as error:
        raise CannotStart(str(error)) from error


def verify_backup(folder: Path, keys: str) -> Verdict:
    """`keys` is a JWKS from a place that is trusted: nothing in the folder vouches for it."""
    verdict = Verdict()
    try:
        for line in _verified(verdict, folder, keys_of(keys)):
            verdict.checked.append(line)
    except (NotGenuine, Damaged) as error:
        verdict.wrong = str(error)
    return verdict


def _verified(verdict: Verdict, folder: Path, keys: Keys) -> Iterator[str]:
    claims = _claims(folder / MANIFEST, keys)
    manifest = manifest_of(claims.get("backup"))
    if manifest is None or manifest.copied.file != DATABASE:
        raise Damaged("the manifest does not say what a manifest says")
    verdict.manifest, verdict.issuer = manifest, str(claims.get("iss"))
    yield "the manifest is signed by one of the keys"
    yield from examine(folder / DATABASE, manifest.copied)


def _claims(file: Path, keys: Keys) -> dict[str, object]:
    try:
        with file.open("rb") as stream:
            shown = plain_json(stream.read(LARGEST).decode("utf-8"))
    except OSError as error:
        raise Damaged(f"{file}: {(error.strerror or 'cannot be read').lower()}") from error
    except ValueError as error:
        raise Damaged(f"{file} cannot be read: not JSON") from error
    if not isinstance(shown, dict) or not isinstance(shown.get("signed"), str):
        raise Damaged(f"{file} is no manifest of a backup")
    claims = dict(opened(shown["signed"], keys, BACKUP_TYP))
    if shown != {"backup": claims.get("backup"), "signed": shown["signed"]}:
        raise Damaged(f"{file} shows something else than was signed")
    return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`aside` is where the old database is kept, None when there was none."""

    manifest: Manifest
    aside: Path | None


def replaces(configured: Configured) -> bool:
    """Whether there is a store that a restored one would take the place of. Raises `CannotStart`
    for one that is no file."""
    if configured.settings.store.on_postgres:
        raise CannotStart(
            "the store is PostgreSQL: restore it with its own tools, and then declare it restored"
            " with `lastcall accept-restored`"
        )
    return in_the_way(configured.store)


def restore_backup(configured: Configured, folder: Path, keys: str, *, replace: bool) -> Restored:
    """Put a backup in the place of the store. Raises `CannotStart` when it cannot be, and then
    nothing has changed."""
    verdict = verify_backup(folder, keys)
    if verdict.manifest is None or verdict.wrong:
        raise CannotStart(f"the backup is not good: {verdict.wrong}")
    _require_key(configured, verdict.manifest)
    store = configured.store
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = store.with_name(f"{store.name}.before-{stamp}") if replace else None
    try:
        restore(folder / DATABASE, verdict.manifest.copied, store, aside=aside)
    except (Damaged, StoreUnavailable) as error:
        raise CannotStart(str(error)) from error
    return Restored(manifest=verdict.manifest, aside=aside)


def _require_key(configured: Configured, manifest: Manifest) -> None:
    """Without the key file nothing that is sealed in the backup can be opened again."""
    file = configured.key_file
    if not file.exists():
        raise CannotStart(f"{file} is missing: put the key file of that time there first")
    try:
        key = fingerprint(open_vault(file))
    except KeyFileError as error:
        raise CannotStart(str(error)) from error
    if key != manifest.key:
        raise CannotStart(f"{file} is not the key file that this backup was made with")
