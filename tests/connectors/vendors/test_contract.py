"""The vendors' connectors held to what every connector must do."""

from collections.abc import Mapping

import pytest

from lastcall.outward import Notice
from tests.connectors.making import notice
from tests.contract.connector import ConnectorContract

pytestmark = pytest.mark.slow

TOKEN = "5qV531n-sWQB6UViIh1vhdoZNypJ5tXt"


class TestMultiTech(ConnectorContract):
    name = "multitech"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": url, "username": "lastcall"}

    def secrets(self) -> Mapping[str, str]:
        return {"password": "Service_1234"}


class TestMultiTechByToken(TestMultiTech):
    def what(self) -> Notice:
        return notice(sid="B7083A0B14C0F0BEFFBED89B99EFBC01")


class TestSoajs(ConnectorContract):
    name = "soajs"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": url}

    def secrets(self) -> Mapping[str, str]:
        return {"key": "k-1"}

    def what(self) -> Notice:
        return notice(sid=TOKEN)


class TestSoajsOauth(TestSoajs):
    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": url, "api": "oauth", "tenant": "t-1", "username": "lastcall"}

    def secrets(self) -> Mapping[str, str]:
        return {"key": "k-1", "secret": "shh", "password": "Service_1234"}


class TestElvis(ConnectorContract):
    name = "elvis"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": url}


class TestRsa(ConnectorContract):
    name = "rsa"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": url}


class TestRocketChat(ConnectorContract):
    name = "rocketchat"

    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": url, "user_id": "u-1"}

    def secrets(self) -> Mapping[str, str]:
        return {"token": "pat-1"}


class TestRocketChatByLogin(TestRocketChat):
    def settings(self, url: str) -> Mapping[str, str]:
        return {"url": url, "username": "lastcall"}

    def secrets(self) -> Mapping[str, str]:
        return {"password": "Service_1234"}
