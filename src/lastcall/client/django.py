"""Middleware for Django, under WSGI and ASGI alike."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse

from lastcall.client.rules import (
    Refusal,
    Rules,
    judge,
    judge_async,
    while_it_lasts,
    while_it_lasts_async,
)
from lastcall.client.threaded import ThreadedGuard

RULES = ("required", "cookie", "public")


class LastcallMiddleware:
    """Lets in whoever has a session; `request.lastcall` says who, or is None.

    The setting `LASTCALL` holds `url`, `service`, `secret` and whatever else `ThreadedGuard` takes
    (or a `guard`), with `required`, `cookie` and `public` as in `Rules`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        given = getattr(settings, "LASTCALL", None)
        if not isinstance(given, dict):
            raise ImproperlyConfigured("the setting LASTCALL is missing")
        self._next = get_response
        self._rules = Rules(**{name: given[name] for name in RULES if name in given})
        self.guard = given.get("guard") or _guard(
            tuple((name, value) for name, value in given.items() if name not in RULES)
        )
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self._answer(request)
        request.lastcall = None
        if self._rules.leaves_out(request.path_info):
            return self._next(request)
        token = self._token(request)
        judged = judge(self.guard, self._rules, token)
        if isinstance(judged, Refusal):
            return _response(judged)
        request.lastcall = judged
        return self._watched(self._next(request), token if judged else None)

    async def _answer(self, request: Any) -> Any:
        request.lastcall = None
        if self._rules.leaves_out(request.path_info):
            return await self._next(request)
        token = self._token(request)
        judged = await judge_async(self.guard, self._rules, token)
        if isinstance(judged, Refusal):
            return _response(judged)
        request.lastcall = judged
        return self._watched(await self._next(request), token if judged else None)

    def _token(self, request: Any) -> str | None:
        """Django has joined repeated headers: two of `Authorization` have a comma between."""
        authorization = request.META.get("HTTP_AUTHORIZATION")
        cookies = request.META.get("HTTP_COOKIE", "")
        return self._rules.token([authorization] if authorization else [], [cookies])

    def _watched(self, response: Any, token: str | None) -> Any:
        if token is None or not getattr(response, "streaming", False):
            return response
        is_async = getattr(response, "is_async", False)
        lasting = while_it_lasts_async if is_async else while_it_lasts
        response.streaming_content = lasting(
            response.streaming_content, self.guard, token, response.headers.get("Content-Type")
        )
        return response


@lru_cache
def _guard(given: tuple[tuple[str, Any], ...]) -> ThreadedGuard:
    """One for all that ask with the same settings: Django builds middleware more than once."""
    return ThreadedGuard(**dict(given))


def _response(refusal: Refusal) -> Any:
    return HttpResponse(refusal.body, status=refusal.status, headers=dict(refusal.headers))
