"""Webhooks, signed as Standard Webhooks 1.0 does: an id, a time and an HMAC in three headers."""

import base64
import binascii
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from lastcall.domain.delivery import Outcome
from lastcall.domain.types import Instant
from lastcall.outward import Egress, Notice, Setting, Signer, Target, Told
from lastcall.telling import PROBE, harmless, misset, nobody_named, posted, probed

EVENT = "session.ended"
PREFIX = "whsec_"
KEY_BYTES = range(24, 65)


class Webhook:
    name = "webhook"
    settings: Sequence[Setting] = (
        Setting(name="url", about="where the event is posted"),
        Setting(
            name="secret",
            about="whsec_ and the base64 of 24 to 64 bytes; several, with blanks between them,"
            " while receivers change from one to the next",
            secret=True,
        ),
        *PROBE,
    )

    def __init__(self, egress: Egress, signer: Signer) -> None:
        self._egress = egress

    def problems(self, target: Target) -> Sequence[str]:
        wrong = misset(target, self.settings, urls=("url", "probe_url"))
        secret = target.secrets.get("secret", "")
        if secret and not all(_key(one) for one in secret.split()):
            wrong.append("secret: is not whsec_ and the base64 of 24 to 64 bytes")
        return wrong

    async def tell(self, target: Target, notice: Notice) -> Told:
        if not (notice.sid or notice.account):
            return nobody_named()
        return await probed(self._egress, target, notice, self._post(target, notice))

    async def test(self, target: Target, notice: Notice) -> Told:
        return await self._post(target, harmless(notice))

    async def _post(self, target: Target, notice: Notice) -> Told:
        keys = [key for key in map(_key, target.secrets.get("secret", "").split()) if key]
        if not keys:
            return Told(outcome=Outcome.REFUSED, error="nothing to sign with")
        body = event(notice)
        stamp = str(notice.now // 1000)
        return await posted(
            self._egress,
            target,
            target.settings.get("url", ""),
            {
                "Content-Type": "application/json",
                "webhook-id": notice.delivery,
                "webhook-timestamp": stamp,
                "webhook-signature": signature(keys, notice.delivery, stamp, body),
            },
            body,
            frozenset(range(200, 300)),
        )


def event(notice: Notice) -> bytes:
    """The body: which session ended, or, without `sid`, whose sessions all did."""
    payload = {
        "type": EVENT,
        "timestamp": _written(notice.at),
        "data": {
            "receipt": notice.receipt,
            "subject": notice.subject,
            "account": notice.account,
            "sid": notice.sid or None,
            "all_sessions": not notice.sid,
            "reason": notice.reason,
        },
    }
    return json.dumps(payload, separators=(",", ":")).encode("ascii")


def signature(keys: Sequence[bytes], id: str, stamp: str, body: bytes) -> str:
    """One signature for each key, so that a receiver may know the old one or the new one."""
    signed = f"{id}.{stamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii") for key in keys
    )


def _key(secret: str) -> bytes:
    """The key in a secret, empty when there is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if secret.startswith(PREFIX) and len(key) in KEY_BYTES else b""


def _written(at: Instant) -> str:
    whole = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{at % 1000:03d}Z"
