"""Everything an index knows, in a form that can be compared; what is only a hint is left out."""

from typing import Any

from lastcall.index import Index


def snapshot(index: Index) -> dict[str, Any]:
    return {
        "head": (index.seq, index.digest),
        "tokens": {token: held.session for token, held in index.tokens.items()},
        "owing": sorted(index.owing),
        "live": index.live_sessions(),
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
            }
            for tenant, shelf in index.shelves.items()
        },
    }
