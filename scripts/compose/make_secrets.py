"""Makes the secrets of docker-compose.yml at its first start: in a folder for each container, which sees no other.

    python scripts/compose/make_secrets.py FOLDER

Later starts find them and change nothing. Nothing is imported that the image does not have.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

LAST = "app/jwt_secret_key"
"""Written last: where it is, all are."""
APPLICATION = "~* &* +@all -@admin -@dangerous +info"
"""What the service may do in Redis: all with keys, nothing with the server but ask which it is."""


def make(folder: Path) -> bool:
    """False when they were there already."""
    if (folder / LAST).exists():
        return False
    owner, database, redis, keeper = (token_hex(32) for _ in range(4))
    users = [
        "user default off",
        f"user madang on #{_digest(redis)} {APPLICATION}",
        f"user keeper on #{_digest(keeper)} ~* &* +@all",
    ]
    files = {
        "db/superuser_password": owner,
        "db/password": database,
        "redis/users.acl": "\n".join(users),
        "tests/database_url": f"postgresql://postgres:{owner}@db:5432/madang_test",
        "tests/redis_url": f"redis://keeper:{keeper}@redis:6379/1",
        "app/database_url": f"postgresql://madang:{database}@db:5432/madang",
        "app/redis_url": f"redis://madang:{redis}@redis:6379/0",
        LAST: token_hex(32),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
        # Each container runs as somebody else; what keeps others away is that they do not mount it.
        (folder / name).chmod(0o444)
    return True


def _digest(password: str) -> str:
    return sha256(password.encode()).hexdigest()


if __name__ == "__main__":
    print("Secrets made." if make(Path(sys.argv[1])) else "The secrets are there already.")
