"""Makes the secrets of docker-compose.yml at its first start: in a folder for each container, which sees no other.

    python scripts/compose/make_secrets.py FOLDER

Later starts find them and change nothing. Nothing is imported that the image does not have.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

APPLICATION = "~* &* +@all -@admin -@dangerous +info"
"""What the service may do in Redis: all with keys, nothing with the server but ask which it is."""
LAST = "app/jwt_secret_key"
"""Written last: before, nothing has started that could know the others."""


def make(folder: Path) -> bool:
    """False when they were there already. Raises ``SystemExit`` when some of them are gone."""
    files = _files()
    if (folder / LAST).exists():
        if missing := [name for name in files if not (folder / name).exists()]:
            raise SystemExit(f"Gone, and known to the other containers: {', '.join(missing)}")
        return False
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
        # Each container runs as somebody else; what keeps others away is that they do not mount it.
        path.chmod(0o444)
    return True


def _files() -> dict[str, str]:
    owner, database, redis, keeper = (token_hex(32) for _ in range(4))
    users = [
        "user default off",
        f"user madang on #{_digest(redis)} {APPLICATION}",
        f"user keeper on #{_digest(keeper)} ~* &* +@all",
    ]
    return {
        "db/superuser_password": owner,
        "db/password": database,
        "redis/users.acl": "\n".join(users),
        "tests/database_url": f"postgresql://postgres:{owner}@db:5432/madang_test",
        "tests/redis_url": f"redis://keeper:{keeper}@redis:6379/1",
        "app/database_url": f"postgresql://madang:{database}@db:5432/madang",
        "app/redis_url": f"redis://madang:{redis}@redis:6379/0",
        # For a second key, while one is exchanged (docs/operations.md).
        "app/jwt_secret_key_previous": "",
        LAST: token_hex(32),
    }


def _digest(password: str) -> str:
    return sha256(password.encode()).hexdigest()


if __name__ == "__main__":
    print("Secrets made." if make(Path(sys.argv[1])) else "The secrets are there already.")
