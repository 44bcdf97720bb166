"""Makes the tables, then sessions when asked to: `django.contrib.auth.login`, nothing hashed.

Each line of standard input is a number of sessions to make; it is answered with a line of the
cookies their holders would show. The end of input ends the process.
"""

import json
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "django_sessions.settings"
django.setup()

from django.conf import settings  # noqa: E402  (wants the settings)
from django.contrib.auth import login  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.cached_db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402
from django.http import HttpRequest  # noqa: E402


def main() -> None:
    call_command("migrate", verbosity=0)
    print(json.dumps({}), flush=True)
    made = 0
    for line in sys.stdin:
        many = int(line)
        people = [User(username=f"person{made + number}") for number in range(many)]
        with transaction.atomic():
            cookies = [_begun(person) for person in User.objects.bulk_create(people)]
        made += many
        print(json.dumps(cookies), flush=True)


def _begun(person: User) -> str:
    request = HttpRequest()
    request.session = SessionStore()
    login(request, person)
    request.session.save()
    return f"{settings.SESSION_COOKIE_NAME}={request.session.session_key}"


if __name__ == "__main__":
    main()
