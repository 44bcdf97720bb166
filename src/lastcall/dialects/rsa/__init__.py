"""RSA Governance & Lifecycle ("Aveksa"): the session commands of its one web-service address."""

from lastcall.dialects.rsa.commands import submit
from lastcall.dialects.rsa.layout import refuse, unknown
from lastcall.dialects.rsa.settings import Settings
from lastcall.domain.types import DialectName
from lastcall.wire import Dialect, Hot, Route

RSA = Dialect(
    name=DialectName("rsa"),
    settings=Settings,
    prefixes=("/aveksa/",),
    routes=(Route("GET,POST", "/aveksa/command.submit", submit, Hot.CALL),),
    refuse=refuse,
    unknown=unknown,
)
