"""The signing keys: which there are, and turning to the next."""

from cyclopts import App

from lastcall.cli.asking import Where, operate
from lastcall.cli.output import Exit, put_json, put_table, say
from lastcall.control.records import Result

HERE = Where()
SHOWN = ("KEY", "ALGORITHM")

keys = App(name="keys", help="Signing keys: list them, turn to the next ones.")


@keys.command(name="list")
def list_keys(*, where: Where = HERE) -> Exit:
    """List the public keys that receipts and notices can be checked with, retired ones too."""
    _put(where, operate(where, "keys.list"))
    return Exit.OK


@keys.command
def rotate(*, alg: str = "", where: Where = HERE) -> Exit:
    """Sign with the next key from now on; what was signed before stays verifiable.

    Parameters
    ----------
    alg
        RS256, ES256 or EdDSA; all three unless given.
    """
    result = operate(where, "keys.rotate", text=alg)
    _put(where, result)
    say("the next keys sign from now on")
    return Exit.OK


def _put(where: Where, result: Result) -> None:
    if where.json:
        put_json(result)
    else:
        put_table(SHOWN, [(key["kid"], key["alg"]) for key in result["keys"]])
