"""The applications of the configuration: what their connectors say, and how the store gets them."""

from collections.abc import Iterator, Mapping

from lastcall.applications import Nowhere, problems
from lastcall.authority.declared import Declared, declare
from lastcall.connectors import CONNECTORS
from lastcall.domain.client import Client
from lastcall.domain.errors import Invalid
from lastcall.domain.types import ClientId, Duration, Instant, TenantId
from lastcall.main.errors import CannotStart
from lastcall.outward import Connector, Egress, Signer
from lastcall.ports import Env
from lastcall.settings import AppSettings, Complaint, LastcallSettings


def connectors(egress: Egress, signer: Signer) -> Mapping[str, Connector]:
    return {name: make(egress, signer) for name, make in CONNECTORS.items()}


def app_rules(settings: LastcallSettings) -> Iterator[Complaint]:
    """What each application's connector has to say about its settings."""
    wires = connectors(Nowhere(), Nowhere())
    for name, app in settings.apps.items():
        for problem in problems(wires, client_of(name, app), app.secrets):
            key, _, text = problem.partition(": ")
            table = "secrets" if key in app.secrets else "settings"
            yield ("apps", name, *([key] if key == "connector" else [table, key])), text


def client_of(name: str, app: AppSettings) -> Client:
    return Client(
        id=ClientId(""),
        tenant=TenantId(app.tenant),
        name=app.name or name,
        owner=app.owner,
        connector=app.connector,
        settings=app.settings,
        can=app.can,
        naming=app.naming,
        account=app.account,
        timeout=Duration(app.timeout),
        concurrency=app.concurrency,
        outlives=Duration(app.outlives),
        always=app.always,
        private=app.private,
        created=Instant(0),
        changed=Instant(0),
    )


async def declare_apps(env: Env, settings: LastcallSettings) -> None:
    """Bring the store up to the configuration's applications."""
    wanted: dict[TenantId, list[Declared]] = {tenant: [] for tenant in env.policies}
    for name, app in settings.apps.items():
        one = Declared(client=client_of(name, app), secrets=app.secrets)
        wanted[one.client.tenant].append(one)
    for tenant, some in wanted.items():
        try:
            await declare(env, tenant, some)
        except Invalid as error:
            raise CannotStart(f"an application of tenant {tenant}: {error}") from error
