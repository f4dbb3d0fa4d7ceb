"""From sign-up to a comment with the client that openapi-python-client makes; tour.mts is the same in TypeScript."""

from __future__ import annotations

import json
import sys

from madang_client import AuthenticatedClient, Client
from madang_client.api.auth import log_in, sign_up
from madang_client.api.comments import create_comment
from madang_client.api.posts import create_post
from madang_client.models import (
    AccountAnswer,
    CommentAnswer,
    CommentCreate,
    Error,
    LogIn,
    PostAnswer,
    PostCreate,
    SessionAnswer,
    SignUpBody,
)

PASSWORD = "four quiet magpies"


def main(base_url: str, username: str) -> None:
    email = f"{username}@example.com"
    anybody = Client(base_url)
    body = SignUpBody(email=email, username=username, password=PASSWORD)
    account = sign_up.sync(client=anybody, body=body)
    assert isinstance(account, AccountAnswer)
    session = log_in.sync(client=anybody, body=LogIn(email=email, password=PASSWORD))
    assert isinstance(session, SessionAnswer)
    client = AuthenticatedClient(base_url, token=session.data.access_token)

    draft = PostCreate(title="마당에 핀 꽃", body="The first one this year.", is_published=True)
    post = create_post.sync(client=client, body=draft)
    assert isinstance(post, PostAnswer)
    words = CommentCreate(body="무슨 꽃인가요?")
    comment = create_comment.sync(post.data.id, client=client, body=words)
    assert isinstance(comment, CommentAnswer)
    again = sign_up.sync(client=anybody, body=body)
    assert isinstance(again, Error)

    found = {
        "account": account.data.to_dict(),
        "post": post.data.to_dict(),
        "comment": comment.data.to_dict(),
        "code": again.error.code,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
