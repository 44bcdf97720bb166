"""The page that verifies in a browser: as it is served, and in one file to be kept."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SERVED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
LINKS = {
    '<link rel="stylesheet" href="/verify/page.css">': ("page.css", "style"),
    '<script src="/verify/page.js" defer></script>': ("page.js", "script"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    body: bytes
    headers: tuple[tuple[str, str], ...]

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


@cache
def pages() -> Mapping[str, Page]:
    """By their names under `/verify`."""
    return {
        "": _page(_read("page.html"), "text/html; charset=utf-8", SERVED),
        "page.js": _page(_read("page.js"), "text/javascript; charset=utf-8", SERVED),
        "page.css": _page(_read("page.css"), "text/css; charset=utf-8", SERVED),
        "offline.html": Page(
            body=single_file().encode(),
            headers=(
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Disposition", 'attachment; filename="lastcall-verify.html"'),
                ("Content-Security-Policy", "sandbox; default-src 'none'"),
            ),
        ),
    }


def single_file() -> str:
    """Everything in one file. Its policy lets this very script run, and nothing be fetched."""
    whole = _read("page.html")
    hashes = {"style": "", "script": ""}
    for link, (name, kind) in LINKS.items():
        text = _read(name)
        digest = b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
        hashes[kind] = f"'sha256-{digest}'"
        inline = f"<{kind}>{text}</{kind}>"
        if kind == "script":
            whole = whole.replace(link, "").replace("</body>", f"{inline}\n</body>")
        else:
            whole = whole.replace(link, inline)
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']};"
        " base-uri 'none'; form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return whole.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{meta}')


def _page(text: str, kind: str, policy: str) -> Page:
    headers = (("Content-Type", kind), ("Content-Security-Policy", policy))
    return Page(body=text.encode(), headers=headers)


def _read(name: str) -> str:
    return (files("lastcall.verify") / "static" / name).read_text(encoding="utf-8")
