"""The Django application of `tests.client.apps`."""

import os
from typing import Any

from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path

from tests.client.apps import name_of, slow_ticks, ticks


def me(request: Any) -> Any:
    return JsonResponse(name_of(request.lastcall))


def hello(_request: Any) -> Any:
    return JsonResponse({})


def events(_request: Any) -> Any:
    return StreamingHttpResponse(_ticks(), content_type="text/event-stream")


def download(_request: Any) -> Any:
    return StreamingHttpResponse(_ticks(), content_type="application/octet-stream")


def _ticks() -> Any:
    return ticks() if os.environ.get("DJANGO_STREAMS") == "async" else slow_ticks()


urlpatterns = [
    path("me", me),
    path("public/hello", hello),
    path("events", events),
    path("download", download),
]
