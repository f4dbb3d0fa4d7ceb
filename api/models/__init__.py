"""Every table, imported here so that Alembic sees one complete metadata."""

from api.models.api_key import ApiKey
from api.models.audit_log import AuditLog
from api.models.comment import Comment
from api.models.idempotency_key import IdempotencyKey
from api.models.login_failure import LoginFailure
from api.models.login_session import LoginSession
from api.models.post import Post
from api.models.post_total import PostTotal
from api.models.refresh_token import RefreshToken
from api.models.user import User

__all__ = [
    "ApiKey",
    "AuditLog",
    "Comment",
    "IdempotencyKey",
    "LoginFailure",
    "LoginSession",
    "Post",
    "PostTotal",
    "RefreshToken",
    "User",
]
