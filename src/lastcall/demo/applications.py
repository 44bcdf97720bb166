"""The part of the demonstration's configuration about its applications."""

from collections.abc import Mapping

from lastcall.demo.receivers import addresses

EVERY = ("wiki", "mail", "crm", "files", "fax")
DIALECTS = ("native", "multitech", "soajs", "elvis", "rsa", "rocketchat")

CHARACTERS = {
    "wiki": "well-behaved: ends its session, and a look afterwards proves it",
    "mail": "slow, but obeys",
    "crm": "down, until it is revived",
    "files": "says yes, and goes on as before, until it is mended",
    "fax": "cannot be told anything",
}

APPS = """\
[outbox]
claim = "1s"
break_after = 1000
patience = "3m"

[apps.wiki]
owner = "the librarians"
connector = "backchannel"
naming = "both"
private = true
[apps.wiki.settings]
uri = "{wiki}/logout"
client_id = "wiki"
alg = "ES256"
probe_url = "{wiki}/sessions/{{sid}}"

[apps.mail]
owner = "the postmaster"
connector = "webhook"
can = "subject"
naming = "sub"
private = true
settings = {{ url = "{mail}/hook" }}
secrets = {{ secret = "{mail_secret}" }}

[apps.crm]
owner = "sales"
connector = "global-token-revocation"
can = "subject"
naming = "sub"
private = true
settings = {{ url = "{crm}/revoke", format = "opaque" }}
secrets = {{ token = "{crm_secret}" }}

[apps.files]
owner = "nobody knows"
connector = "webhook"
private = true
settings = {{ url = "{files}/hook", probe_url = "{files}/sessions/{{sid}}" }}
secrets = {{ secret = "{files_secret}" }}

[apps.fax]
owner = "the basement"
can = "none"
outlives = "4h"
"""


def configuration(ports: Mapping[str, int], secrets: Mapping[str, str]) -> str:
    """Every login on every wire joins all of them."""
    names = ", ".join(f'"{name}"' for name in EVERY)
    joins = "".join(f"[dialects.{name}]\njoins = [{names}]\n\n" for name in DIALECTS)
    sealed = {f"{name}_secret": secret for name, secret in secrets.items()}
    return joins + APPS.format(**addresses(ports), **sealed)
