"""Native routes for those who check: the keys, the audit log, and the page that verifies."""

from lastcall.authority.audit_heads import audit_head, audit_links
from lastcall.dialects.native.callers import known
from lastcall.dialects.native.proof_shapes import AuditQuery, Head, Nothing
from lastcall.dialects.native.reading import query_as
from lastcall.dialects.native.settings import Settings
from lastcall.domain.canonical import canonical
from lastcall.domain.proof import line_of_link
from lastcall.verify.pages import pages
from lastcall.wire import Call, Handler, Reply, json_reply


async def jwks(call: Call[Settings]) -> Reply:
    query_as(call, Nothing)
    reply = json_reply(call.env.signer.jwks(), content_type="application/jwk-set+json")
    return reply.plus(("Cache-Control", "public, max-age=300"))


async def head(call: Call[Settings]) -> Reply:
    found = await audit_head(call.env, (await known(call)).caller)
    return json_reply(
        Head(seq=found.seq, digest=found.digest.hex(), at=found.at, signed=found.signed)
    )


async def audit(call: Call[Settings]) -> Reply:
    """One record a line, to be appended to what was had before; a `Link` to what follows."""
    caller = (await known(call)).caller
    asked = query_as(call, AuditQuery)
    found = await audit_links(call.env, caller, asked.after, asked.limit)
    lines = b"".join(canonical(line_of_link(link)) + b"\n" for link in found)
    reply = Reply(body=lines, headers=(("Content-Type", "application/jsonl"),))
    if len(found) < asked.limit:
        return reply
    follows = f"/v1/audit?after={found[-1].seq}&limit={asked.limit}"
    return reply.plus(("Link", f'<{follows}>; rel="next"'))


def page(name: str) -> Handler[Settings]:
    """One file of the page that verifies, which needs nothing from the server once it is read."""

    async def answer(call: Call[Settings]) -> Reply:
        query_as(call, Nothing)
        found = pages()[name]
        known_already = call.header("if-none-match") in (found.etag, "*")
        return Reply(
            status=304 if known_already else 200,
            body=b"" if known_already else found.body,
            headers=(*found.headers, ("ETag", found.etag), ("Cache-Control", "no-cache")),
        )

    return answer
