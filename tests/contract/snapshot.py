"""Everything an index knows, in a form that can be compared; what is only a hint is left out."""

import copy
from typing import Any

from lastcall.index import Index


def snapshot(index: Index) -> dict[str, Any]:
    return {
        "head": (index.seq, index.digest),
        "tokens": {token: held.session for token, held in index.tokens.items()},
        "owing": sorted(index.owing),
        "live": index.live_sessions(),
        "depth": {state: number for state, number in index.depth.items() if number},
        "due": _due(index),
        "shelves": {
            tenant: {
                "serial": shelf.serial,
                "subjects": shelf.subjects.copy(),
                "names": shelf.names.copy(),
                "emails": shelf.emails.copy(),
                "sessions": {one: held.session for one, held in shelf.sessions.items()},
                "order": list(shelf.newest_first()),
                "refresh": {token: held.session for token, held in shelf.refresh.items()},
                "unended": {one: shelf.unended_of(one) for one in shelf.unended},
                "receipts": shelf.receipts.copy(),
                "marks": shelf.marks.copy(),
                "strikes": shelf.strikes.copy(),
                "codes": shelf.codes.copy(),
                "clients": shelf.outbox.clients.copy(),
                "always": shelf.outbox.always.copy(),
                "client_names": shelf.outbox.client_names.copy(),
                "accounts": copy.deepcopy(shelf.outbox.accounts),
                "deliveries": shelf.outbox.deliveries.copy(),
                "groups": {group: set(ids) for group, ids in shelf.outbox.groups.items()},
                "tallies": {one: dict(tally) for one, tally in shelf.outbox.tallies.items()},
                "unsettled": dict(shelf.outbox.unsettled),
                "attempts": shelf.outbox.attempts.copy(),
                "previews": shelf.intentions.previews.copy(),
                "plans": shelf.intentions.plans.copy(),
                "remembered": shelf.intentions.remembered.copy(),
            }
            for tenant, shelf in index.shelves.items()
        },
    }


EVER = 2**62


def _due(index: Index) -> list[Any]:
    """Everything in the queue; looking moves lines, which is no more than a hint."""
    found = index.queue.due(EVER, most_of_one=EVER, limit=EVER, skip=lambda _: False, skipped=0)
    return sorted(found)
