"""The few pages a browser is shown, with nothing in them that runs or loads from elsewhere."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lastcall.dialects.elvis.settings import Settings
from lastcall.wire import Call, Reply

HERE = Path(__file__).parent
STYLE = (HERE / "static" / "page.css").read_bytes()

POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", POLICY),
)

_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


def page(call: Call[Settings], name: str, status: int = 200, **facts: object) -> Reply:
    text = _TEMPLATES.get_template(name).render(landing=call.settings.landing, **facts)
    return Reply(status=status, body=text.encode(), headers=HEADERS)


async def style(_call: Call[Settings]) -> Reply:
    return Reply(body=STYLE, headers=(("Content-Type", "text/css; charset=utf-8"),))
