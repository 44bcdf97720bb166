"""An extension for Flask."""

from typing import Any

from flask import Flask, Response, g, request

from lastcall.client.rules import Refusal, Rules, judge, while_it_lasts
from lastcall.client.threaded import ThreadedGuard


class Lastcall:
    """Lets in whoever has a session; `flask.g.lastcall` says who, or is None.

    `settings`: `url`, `service`, `secret` and whatever else `ThreadedGuard` takes, unless there is
    a `guard`; with `required`, `cookie` and `public` as in `Rules`.
    """

    def __init__(
        self, app: Flask | None = None, guard: ThreadedGuard | None = None, **settings: Any
    ) -> None:
        names = ("required", "cookie", "public")
        self._rules = Rules(**{name: settings.pop(name) for name in names if name in settings})
        self.guard = guard or ThreadedGuard(**settings)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Before whatever else the application does ahead of its views."""
        app.before_request_funcs.setdefault(None, []).insert(0, self._before)
        app.after_request(self._after)

    def _before(self) -> Response | None:
        g.lastcall = g.lastcall_token = None
        if self._rules.leaves_out(request.path):
            return None
        token = self._rules.token(
            request.headers.getlist("Authorization"), request.headers.getlist("Cookie")
        )
        judged = judge(self.guard, self._rules, token)
        if isinstance(judged, Refusal):
            return Response(judged.body, judged.status, dict(judged.headers))
        g.lastcall = judged
        g.lastcall_token = token if judged else None
        return None

    def _after(self, response: Response) -> Response:
        """What a stream is made of is closed with it: a file, say, or an upstream's answer."""
        token = g.get("lastcall_token")
        if token and response.is_streamed:
            source, pieces = response.response, response.iter_encoded()
            response.response = while_it_lasts(pieces, self.guard, token, response.content_type)
            response.direct_passthrough = False
            if hasattr(source, "close"):
                response.call_on_close(source.close)
        return response
