"""Three pages: is there a session, who is it, and log out. Also the WSGI application."""

from django.contrib.auth import logout
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path


def check(request: HttpRequest) -> HttpResponse:
    subject = request.session.get("_auth_user_id")
    return JsonResponse({"user": {"id": subject}}) if subject else HttpResponse(status=401)


def user(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    return JsonResponse({"user": {"id": request.user.pk, "username": request.user.username}})


def log_out(request: HttpRequest) -> HttpResponse:
    if not request.session.get("_auth_user_id"):
        return HttpResponse(status=401)
    logout(request)
    return HttpResponse(status=204)


urlpatterns = [path("check", check), path("user", user), path("logout", log_out)]

application = get_wsgi_application()
