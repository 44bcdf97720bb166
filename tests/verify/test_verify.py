"""A good receipt verifies offline, and whatever is done to it or to the records shows by name."""

import json
from base64 import urlsafe_b64decode
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.authority.audit_heads import audit_links
from lastcall.domain.access import operator
from lastcall.domain.audit import content_of, digest_of
from lastcall.domain.canonical import canonical
from lastcall.domain.proof import FIELDS, HEAD_TYP, RECEIPT_TYP, line_of_link
from tests.authority.acts import origin
from tests.verify.proving import Ed25519Signer, Proof, encoded, prove
from tests.world import OTHER

GOOD_HEADER = {"alg": "EdDSA", "typ": RECEIPT_TYP, "kid": "key-1"}


@cache
def _made() -> list[Proof]:
    return []


async def proof() -> Proof:
    if not _made():
        _made().append(await prove())
    return _made()[0]


@pytest.fixture(name="good")
async def good_proof() -> Proof:
    return await proof()


def claims_of(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=="))


def texts(found: Any) -> str:
    return " | ".join(one.text for one in found.findings)


async def test_what_is_given_untouched_is_good(good: Proof) -> None:
    report = good.check()
    assert report.good, texts(report)
    assert len(report.checked) == 3
    assert report.claims["receipt"]["finished"] is True
    assert good.check(export=None, heads=None).good
    withheld = [line for line in good.lines if "content" in json.loads(line)]
    assert withheld, "the other tenant's records are part of the chain"
    assert "stranger" not in good.export
    assert '"other"' not in good.export


async def test_the_json_form_is_the_same(good: Proof) -> None:
    names = ("protected", "payload", "signature")
    flat = dict(zip(names, good.receipt.split("."), strict=True))
    assert good.check(receipt=json.dumps(flat)).good
    assert "not a signed receipt" in texts(good.check(receipt=json.dumps({**flat, "header": {}})))
    assert "not a readable" in texts(good.check(receipt="{"))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({**GOOD_HEADER, "alg": "none"}, "algorithm"),
        ({**GOOD_HEADER, "alg": "HS256"}, "algorithm"),
        ({**GOOD_HEADER, "alg": "ES256"}, "algorithm"),
        ({**GOOD_HEADER, "jwk": {"kty": "OKP"}}, "holds jwk"),
        ({**GOOD_HEADER, "jku": "https://evil.example/keys"}, "holds jku"),
        ({**GOOD_HEADER, "x5u": "https://evil.example/c"}, "holds x5u"),
        ({**GOOD_HEADER, "crit": ["b64"], "b64": False}, "holds b64, crit"),
        ({**GOOD_HEADER, "typ": "JWT"}, "type"),
        ({**GOOD_HEADER, "typ": HEAD_TYP}, "type"),
        ({**GOOD_HEADER, "kid": "another"}, "names a key"),
        ({**GOOD_HEADER, "kid": ["key-1"]}, "names a key"),
        ({"alg": "EdDSA", "typ": RECEIPT_TYP}, "names a key"),
    ],
)
async def test_only_our_own_kind_of_signature_counts(
    good: Proof, header: dict[str, Any], said: str
) -> None:
    token = good.signer.forge(claims_of(good.receipt), header)
    report = good.check(receipt=token)
    assert not report.good
    assert said in texts(report)
    assert not report.claims


async def test_a_strangers_key_does_not_count(good: Proof) -> None:
    stranger = Ed25519Signer(bytes(32))
    forged = stranger.forge(claims_of(good.receipt), GOOD_HEADER)
    assert "signature" in texts(good.check(receipt=forged))
    assert "signature" in texts(good.check(keys=json.dumps(stranger.jwks())))
    unsigned = good.receipt.rpartition(".")[0] + "."
    assert "signature" in texts(good.check(receipt=unsigned))


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"kty": "RSA", "n": "x"}]}',
        '{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "key-1", "x": "AAAA"}]}',
        '{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "key-1"}]}',
    ],
)
async def test_keys_that_are_none(good: Proof, keys: str) -> None:
    report = good.check(keys=keys)
    assert [one.what for one in report.findings] == ["forged"]


async def test_two_keys_of_one_name_are_refused(good: Proof) -> None:
    mine = good.signer.jwks()["keys"]
    theirs = Ed25519Signer(bytes(32)).jwks()["keys"]
    assert isinstance(mine, list)
    assert isinstance(theirs, list)
    assert "told apart" in texts(good.check(keys=json.dumps({"keys": [*mine, *theirs]})))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda claims: claims.update(iat=claims["iat"] + 3_600), "future"),
        (lambda claims: claims["receipt"].update(finished=False), "unfinished"),
        (lambda claims: claims["receipt"].update(id="r_another"), "foreign"),
        (lambda claims: claims["receipt"].update(tenant="other"), "foreign"),
        (lambda claims: claims.update(tenant="other"), "foreign"),
        (lambda claims: claims["audit"].update(seq=1), "altered"),
        (lambda claims: claims["audit"]["record"].update(target="x"), "altered"),
        (lambda claims: claims["audit"].update(record={}), "altered"),
        (lambda claims: claims.pop("tenant"), "unreadable"),
        (lambda claims: claims.update(extra=1), "unreadable"),
        (lambda claims: claims.update(audit=[]), "unreadable"),
    ],
)
async def test_a_signed_receipt_must_agree_with_itself(good: Proof, change: Any, what: str) -> None:
    claims = claims_of(good.receipt)
    change(claims)
    report = good.check(receipt=good.signer.forge(claims, GOOD_HEADER))
    assert what in [one.what for one in report.findings], texts(report)


async def test_whose_it_must_be(good: Proof) -> None:
    assert good.check(tenant="default", issuer=good.signer.issuer).good
    assert "tenant other" in texts(good.check(tenant="other"))
    assert "https://evil" in texts(good.check(issuer="https://evil.example"))


@given(data=st.data())
async def test_any_changed_byte_of_the_receipt_shows(data: st.DataObject) -> None:
    good = await proof()
    place = data.draw(st.integers(0, len(good.receipt) - 1))
    other = data.draw(st.sampled_from("AZaz09-_.").filter(lambda one: one != good.receipt[place]))
    changed = good.receipt[:place] + other + good.receipt[place + 1 :]
    assert not good.check(receipt=changed).good


@given(data=st.data())
async def test_any_changed_byte_of_the_export_shows(data: st.DataObject) -> None:
    good = await proof()
    place = data.draw(st.integers(0, len(good.export) - 2))
    byte = data.draw(st.characters(min_codepoint=1, max_codepoint=0x2FF))
    if byte == good.export[place]:
        return
    changed = good.export[:place] + byte + good.export[place + 1 :]
    line = good.export[:place].count("\n") + 1
    report = good.check(export=changed)
    named = {one.seq for one in report.findings} | {
        number
        for number in range(1, len(good.lines) + 1)
        if f"line {number} " in texts(report) or f"up to {number} " in texts(report)
    }
    assert named & {line, line + 1}, texts(report)


@given(data=st.data())
async def test_any_dropped_record_is_named(data: st.DataObject) -> None:
    good = await proof()
    place = data.draw(st.integers(1, len(good.lines) - 1))
    kept = [line for number, line in enumerate(good.lines) if number != place]
    report = good.check(export="\n".join(kept) + "\n")
    assert f"record {place + 1} is missing" in texts(report)


@given(data=st.data())
async def test_any_two_swapped_records_are_named(data: st.DataObject) -> None:
    good = await proof()
    lines = list(good.lines)
    one, other = data.draw(
        st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True)
    )
    lines[one], lines[other] = lines[other], lines[one]
    report = good.check(export="\n".join(lines))
    assert f"record {min(one, other) + 1} stands after" in texts(report)


@given(data=st.data())
async def test_any_record_that_was_replaced_and_chained_anew_is_named(data: st.DataObject) -> None:
    """Altered with its digest made good: only the records after it and the heads tell."""
    good = await proof()
    place = data.draw(st.integers(0, len(good.lines) - 1))
    record = json.loads(good.lines[place])
    if "content" in record:
        record["content"] = "0" * 64
        content = bytes(32)
    else:
        record["actor"] = "u-nobody"
        content = content_of({name: record[name] for name in FIELDS})
    record["digest"] = digest_of(bytes.fromhex(record["previous"]), content).hex()
    lines = [*good.lines[:place], canonical(record).decode(), *good.lines[place + 1 :]]
    report = good.check(export="\n".join(lines))
    assert [one.seq for one in report.findings if one.what == "foreign"] == [place + 1]


async def test_a_chain_made_anew_from_some_record_on_contradicts_the_heads(good: Proof) -> None:
    lines = []
    previous = None
    for number, line in enumerate(good.lines):
        record = json.loads(line)
        if number >= 2:
            record["previous"] = previous or record["previous"]
            if "content" not in record:
                record["actor_name"] += "x"
                content = content_of({name: record[name] for name in FIELDS})
            else:
                content = bytes.fromhex(record["content"])
            record["digest"] = digest_of(bytes.fromhex(record["previous"]), content).hex()
        previous = record["digest"]
        lines.append(canonical(record).decode())
    export = "\n".join(lines)
    foreign = [one.seq for one in good.check(export=export).findings if one.what == "foreign"]
    assert foreign
    assert min(one for one in foreign if one) > 2


async def test_a_repeated_and_a_foreign_record(good: Proof) -> None:
    report = good.check(export="\n".join([*good.lines, good.lines[0]]))
    assert "record 1 stands here more than once" in texts(report)
    other = await prove()
    stranger = json.loads(other.lines[-1])
    stranger["request_id"] = "theirs"
    content = content_of({name: stranger[name] for name in FIELDS})
    stranger["digest"] = digest_of(bytes.fromhex(stranger["previous"]), content).hex()
    report = good.check(export="\n".join([*good.lines[:-1], canonical(stranger).decode()]))
    assert [one.seq for one in report.findings] == [len(good.lines)]


async def test_a_cut_off_end_contradicts_the_newest_head(good: Proof) -> None:
    cut = good.lines[:-2]
    report = good.check(export="\n".join(cut))
    assert f"record {len(cut) + 1} and up to {len(cut) + 2} are missing" in texts(report)
    own = report.claims["audit"]["seq"]
    report = good.check(export="\n".join(good.lines[own:]), heads=None)
    assert f"record {own}, the receipt's own, is not in the export" in texts(report)
    assert good.check(export="\n".join(good.lines[own - 1 :]), heads=None).good
    assert not good.check(export="").good


async def test_a_record_of_another_tenant_does_not_belong_in_an_export(good: Proof) -> None:
    links = await audit_links(good.world.env, operator(OTHER, origin()), 0, 1_000)
    theirs = next(link for link in links if link.record)
    lines = list(good.lines)
    lines[theirs.seq - 1] = canonical(line_of_link(theirs)).decode()
    assert f"record {theirs.seq} is of another tenant" in texts(good.check(export="\n".join(lines)))


async def test_heads_that_are_not_right_are_named_by_their_lines(good: Proof) -> None:
    lines = good.heads.splitlines()
    shown = json.loads(lines[1])
    spoiled = shown["signed"][:-8] + "AAAAAAAA"
    cases: dict[str, str] = {
        "head in line 2: it cannot be read": "{",
        "head in line 2: what it shows": json.dumps({**shown, "seq": 99}),
        "head in line 2: its signature": json.dumps({**shown, "signed": spoiled}),
        "head in line 2: it is not of type": json.dumps({**shown, "signed": good.receipt}),
    }
    for said, line in cases.items():
        assert said in texts(good.check(heads="\n".join([lines[0], line, *lines[2:]])))
    assert "it cannot be read" in texts(good.check(heads='{"seq": 1}'))
    assert "older than" in texts(good.check(heads="\n".join(reversed(lines))))


async def test_heads_of_another_authority_or_another_chain(good: Proof) -> None:
    header = {"alg": "EdDSA", "typ": HEAD_TYP, "kid": "key-1"}

    def head(issuer: str, digest: str) -> str:
        said = {"seq": 2, "digest": digest, "at": good.world.clock.now()}
        signed = good.signer.forge({"iss": issuer, "iat": 1, "head": said}, header)
        return json.dumps({**said, "signed": signed})

    issuer = good.signer.issuer
    assert "another authority" in texts(good.check(heads=head("https://x.example", "00" * 32)))
    assert "another digest" in texts(good.check(heads=head(issuer, "00" * 32), export=None))


async def test_what_is_no_jws_at_all(good: Proof) -> None:
    head, body, signature = good.receipt.split(".")
    twice = encoded(b'{"alg":"none","alg":"EdDSA","typ":"lastcall-receipt+jwt","kid":"key-1"}')
    deep = encoded(b"[" * 100_000)
    for token in (
        "",
        "a.b",
        "....",
        f"{head}.{body}.{signature}.",
        f"{head}=.{body}.{signature}",
        f"{twice}.{body}.{signature}",
        f"{deep}.{body}.{signature}",
        f"{encoded(b'[]')}.{body}.{signature}",
        f"{encoded(bytes([0xFF]))}.{body}.{signature}",
        f"A.{body}.{signature}",
    ):
        assert not good.check(receipt=token).good


async def test_a_chain_begins_where_chains_begin(good: Proof) -> None:
    first = json.loads(good.lines[0])
    first["previous"] = "11" * 32
    content = content_of({name: first[name] for name in FIELDS})
    first["digest"] = digest_of(bytes.fromhex(first["previous"]), content).hex()
    report = good.check(export="\n".join([canonical(first).decode(), *good.lines[1:]]))
    assert "record 1 is not the beginning of a chain" in texts(report)


async def test_details_hold_texts_alone(good: Proof) -> None:
    first = {**json.loads(good.lines[0]), "detail": {"sessions": 1}}
    report = good.check(export="\n".join([canonical(first).decode(), *good.lines[1:]]))
    assert "line 1 of the export is not as it was written" in texts(report)


async def test_what_is_signed_is_spelled_in_one_way(good: Proof) -> None:
    """What two readers could read differently is refused, with a good signature too."""
    twice = b'{"alg":"none","alg":"EdDSA","typ":"lastcall-receipt+jwt","kid":"key-1"}'
    claims = json.dumps(claims_of(good.receipt)).encode()
    assert good.check(receipt=good.signer.signed(json.dumps(GOOD_HEADER).encode(), claims)).good
    assert not good.check(receipt=good.signer.signed(twice, claims)).good
    again = claims[:-1] + b', "tenant": "default"}'
    assert not good.check(receipt=good.signer.signed(json.dumps(GOOD_HEADER).encode(), again)).good
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same_bytes = alphabet[alphabet.index(good.receipt[-1]) ^ 1]
    assert not good.check(receipt=good.receipt[:-1] + same_bytes).good


@pytest.mark.parametrize(
    ("old", "new"),
    [("\\u00e4", "\\u00E4"), ("\\u00e4", "ä"), ('{"action":"logout"', '{"action": "logout"')],
)
async def test_a_line_is_spelled_as_it_was_written(good: Proof, old: str, new: str) -> None:
    assert old in good.export
    report = good.check(export=good.export.replace(old, new, 1))
    assert "is not as it was written" in texts(report)
