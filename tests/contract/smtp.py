"""A mail server of a few lines: takes mails over plain SMTP, after STARTTLS, or never."""

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class MailServer:
    """`hangs` before its greeting; `refuses` with that reply at the end of a mail."""

    tls: ssl.SSLContext | None = None
    hangs: bool = False
    refuses: str = ""
    mails: list[tuple[list[str], str]] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    port: int = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.hangs:
                await reader.read()
            else:
                await self._talk(reader, writer)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        encrypted = False
        writer.write(b"220 test\r\n")
        while line := (await reader.readline()).decode():
            match line.split()[0].upper():
                case "EHLO":
                    offers = ["test", "AUTH PLAIN"] + ([] if encrypted else ["STARTTLS"])
                    dashed = [f"250-{offer}" for offer in offers[:-1]]
                    writer.write("\r\n".join([*dashed, f"250 {offers[-1]}", ""]).encode())
                case "STARTTLS" if self.tls:
                    writer.write(b"220 go\r\n")
                    await writer.start_tls(self.tls)
                    encrypted = True
                case "AUTH":
                    self.logins.append(line.split()[2])
                    writer.write(b"235 in\r\n")
                case "RCPT":
                    recipients.append(line[8:].strip().strip("<>"))
                    writer.write(b"250 ok\r\n")
                case "DATA":
                    writer.write(b"354 go\r\n")
                    text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                    if self.refuses:
                        writer.write(f"{self.refuses}\r\n".encode())
                    else:
                        self.mails.append((recipients, text))
                        self.secure.append(encrypted)
                        writer.write(b"250 ok\r\n")
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                case "MAIL" | "RSET" | "NOOP":
                    writer.write(b"250 ok\r\n")
                case _:
                    writer.write(b"502 no\r\n")


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    """A server's side of TLS under a new certificate for `name`, and the file to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    return context, str(cert_file)
