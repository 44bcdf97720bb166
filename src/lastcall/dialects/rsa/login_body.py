"""The body of a login: XML elements that are siblings, from clients that may not know XML."""

from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from lastcall.domain.errors import Invalid

NAMES = ("username", "password", "authsource")


def credentials(body: bytes) -> dict[str, str]:
    """The elements of a login body: siblings without a root, whatever the content type says.

    Clients exist that write a password as it is. What is not well-formed for a raw `&` or `<` is
    therefore taken as it stands; document types, and with them entities, are refused before.
    """
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise Invalid("body", "is not UTF-8") from error
    if text.startswith("<?xml"):
        text = text.partition("?>")[2]
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Invalid("body", "must not hold a document type")
    try:
        found = elements(fromstring(f"<login>{text}</login>", forbid_dtd=True))
    except (ParseError, DefusedXmlException):
        found = verbatim(text)
    if any(
        ord(character) < 32 and character not in "\t\r\n" for character in "".join(found.values())
    ):
        raise Invalid("body", "holds control characters")
    return found


def elements(root: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in root.iter():
        if element.tag not in NAMES:
            continue
        if element.tag in found:
            raise Invalid(element.tag, "must not be repeated")
        if len(element):
            raise Invalid(element.tag, "must be text")
        found[element.tag] = element.text or ""
    return found


def verbatim(text: str) -> dict[str, str]:
    found = {}
    for name in NAMES:
        start, end = f"<{name}>", f"</{name}>"
        if text.count(start) > 1:
            raise Invalid(name, "must not be repeated")
        _, opened, rest = text.partition(start)
        value, closed, _ = rest.partition(end)
        if opened and closed:
            found[name] = value
    return found
