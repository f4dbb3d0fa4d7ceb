"""A second place for backups: a bucket of anything that speaks S3, through curl, which signs (7.75 or later)."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from scripts.home import Refused

MANUAL = (
    "BACKUP_S3_URL is an address such as https://s3.eu-central-1.amazonaws.com/bucket/folder; "
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (us-east-1) say who writes there."
)


@dataclass(frozen=True)
class Store:
    url: str
    key: str
    secret: str
    region: str

    def put(self, file: Path) -> None:
        """Raises ``Refused``."""
        self._curl(f"{self.url}/{quote(file.name)}", "--upload-file", str(file))

    def get(self, name: str, target: Path) -> None:
        """Raises ``Refused``; then there is no *target*."""
        new = target.with_name(f"{target.name}.new")
        try:
            self._curl(f"{self.url}/{quote(name)}", "--output", str(new))
            new.rename(target)
        finally:
            new.unlink(missing_ok=True)

    def _curl(self, url: str, *arguments: str) -> None:
        # What it is told on standard input nobody sees in the list of processes.
        secret = f'user = "{self.key}:{self.secret}"\n'
        command = [
            "curl",
            "--config",
            "-",
            "--fail-with-body",
            "--silent",
            "--show-error",
            "--retry",
            "3",
            "--aws-sigv4",
            f"aws:amz:{self.region}:s3",
            *arguments,
            url,
        ]
        try:
            done = subprocess.run(command, input=secret.encode(), capture_output=True, check=False)
        except FileNotFoundError as fault:
            raise Refused("BACKUP_S3_URL needs curl") from fault
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
            raise Refused(f"{url}: {said}")


def from_env(env: Mapping[str, str]) -> Store | None:
    """None without BACKUP_S3_URL. Raises ``Refused`` when it is given without keys."""
    url = (env.get("BACKUP_S3_URL") or "").rstrip("/")
    if not url:
        return None
    key, secret = env.get("AWS_ACCESS_KEY_ID") or "", env.get("AWS_SECRET_ACCESS_KEY") or ""
    if not (key and secret) or not url.startswith(("https://", "http://")):
        raise Refused(f"The store of backups is not told in full. {MANUAL}")
    if any(c in key + secret for c in '"\\\r\n'):
        raise Refused(
            "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY holds a character that no key has"
        )
    return Store(url, key, secret, env.get("AWS_REGION") or "us-east-1")
