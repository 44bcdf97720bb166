"""Backups: what is signed about a copy of the store, so that it can be judged before it is used."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from lastcall.domain.types import Instant

BACKUP_TYP = "lastcall-backup+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A copy of everything that was durable at one moment.

    `batch` counts the commits in it, `seq` and `digest` (hexadecimal) are the head of its audit
    chain, and `rows` says how many rows each table has. `sha256` (hexadecimal) is of the file.
    """

    file: str
    size: int
    sha256: str
    schema: int
    batch: int
    seq: int
    digest: str
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`key` recognises the key file that what is sealed in the copy can be opened with."""

    version: str
    made: Instant
    key: str
    copied: Copied


def claims_of(manifest: Manifest) -> dict[str, object]:
    return asdict(manifest)


COPIED: Mapping[str, type] = {
    "file": str,
    "size": int,
    "sha256": str,
    "schema": int,
    "batch": int,
    "seq": int,
    "digest": str,
    "rows": dict,
}
MANIFEST: Mapping[str, type] = {"version": str, "made": int, "key": str, "copied": dict}


def manifest_of(claims: object) -> Manifest | None:
    """What `claims_of` wrote; None for anything else."""
    if not isinstance(claims, dict) or not _shaped(claims, MANIFEST):
        return None
    copied = claims["copied"]
    if not _shaped(copied, COPIED) or not _shaped(
        copied["rows"], dict.fromkeys(copied["rows"], int)
    ):
        return None
    return Manifest(**{**claims, "copied": Copied(**copied)})


def _shaped(claims: Mapping[str, object], shape: Mapping[str, type]) -> bool:
    """These members of these types, and no others."""
    return claims.keys() == shape.keys() and all(
        type(claims[name]) is kind for name, kind in shape.items()
    )
