"""Django REST framework under gunicorn with threads, persistent connections of psycopg's own pool.

Serializers, class-based views, an authentication class of its own; orjson in place of the slower stock renderer.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlparse

import django
import jwt
import shared
from django.conf import settings

_url = urlparse(shared.DATABASE_URL)

settings.configure(
    SECRET_KEY="unused" * 8,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEBUG_PROPAGATE_EXCEPTIONS=True,
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _url.path.lstrip("/"),
            "USER": unquote(_url.username or ""),
            "PASSWORD": unquote(_url.password or ""),
            "HOST": _url.hostname,
            "PORT": _url.port,
            "OPTIONS": {"pool": {"min_size": 2, "max_size": shared.CONNECTIONS}},
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": [f"{__name__}.OrjsonRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_AUTHENTICATION_CLASSES": [f"{__name__}.ByToken"],
        "UNAUTHENTICATED_USER": None,
    },
)


import orjson
from rest_framework.renderers import BaseRenderer


class OrjsonRenderer(BaseRenderer):
    media_type, format, charset = "application/json", "json", None

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        return orjson.dumps(data)


from django.core.wsgi import get_wsgi_application
from rest_framework.authentication import BaseAuthentication


class ByToken(BaseAuthentication):
    def authenticate(self, request: Any) -> tuple[Any, None] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        try:
            session_id = shared.session_of(header)
        except jwt.InvalidTokenError as err:
            raise AuthenticationFailed() from err
        living = Session.objects.filter(id=session_id, ended_at=None, user__status="active")
        found = living.select_related("user").first()
        if found is None:
            raise AuthenticationFailed()
        return found.user, None

    def authenticate_header(self, _: Any) -> str:
        return "Bearer"


django.setup()

from django.db import models, transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Lower, Now
from django.http import HttpResponseNotAllowed
from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView


class Model(models.Model):
    class Meta:
        abstract = True
        app_label = "peers"


class User(Model):
    id = models.UUIDField(primary_key=True)
    email, username, password_hash = models.TextField(), models.TextField(), models.TextField()
    role, status = models.TextField(), models.TextField()
    post_count = models.BigIntegerField()
    is_authenticated = True

    class Meta(Model.Meta):
        db_table, managed = "users", False


class Session(Model):
    id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    refreshed_at = models.DateTimeField(db_default=Now())
    refresh_sequence = models.BigIntegerField(db_default=1)

    class Meta(Model.Meta):
        db_table, managed = "sessions", False


class RefreshToken(Model):
    token_hash = models.BinaryField(primary_key=True)
    session = models.ForeignKey(Session, models.CASCADE)
    sequence = models.BigIntegerField()

    class Meta(Model.Meta):
        db_table, managed = "refresh_tokens", False


class PostTotal(Model):
    shard = models.SmallIntegerField(primary_key=True)
    published = models.BigIntegerField()

    class Meta(Model.Meta):
        db_table, managed = "post_totals", False


class Post(Model):
    id = models.UUIDField(primary_key=True)
    author = models.ForeignKey(User, models.CASCADE)
    title, body = models.TextField(), models.TextField()
    is_published = models.BooleanField()
    published_at = models.DateTimeField(null=True)
    comment_count = models.BigIntegerField(db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta(Model.Meta):
        db_table, managed = "posts", False


class Moment(serializers.Field):
    def to_representation(self, value: datetime) -> str | None:
        return shared.moment(value)


class AuthorOut(serializers.ModelSerializer):
    class Meta:
        model, fields = User, ["id", "username"]


class PostOut(serializers.ModelSerializer):
    author = AuthorOut()
    published_at, created_at, updated_at = Moment(), Moment(), Moment()

    class Meta:
        model = Post
        fields = [
            *("id", "title", "body", "author", "is_published", "published_at", "comment_count"),
            *("created_at", "updated_at"),
        ]


class PostIn(serializers.Serializer):
    title = serializers.CharField(max_length=shared.TITLE, trim_whitespace=False)
    body = serializers.CharField(max_length=shared.BODY, trim_whitespace=False)
    is_published = serializers.BooleanField(default=False)


class LogInIn(serializers.Serializer):
    email = serializers.CharField(max_length=254)
    password = serializers.CharField(min_length=8, max_length=128, trim_whitespace=False)


class Asked(serializers.Serializer):
    page = serializers.IntegerField(min_value=1, max_value=100, default=1)
    size = serializers.IntegerField(min_value=1, max_value=100, default=20)
    cursor = serializers.CharField(default=None, allow_blank=True, max_length=1000)
    created_after = serializers.DateTimeField(default=None)


def valid(serializer: type[serializers.Serializer], data: Any) -> Any:
    read = serializer(data=data)
    read.is_valid(raise_exception=True)
    return read.validated_data


def ok(data: Any, **rest: Any) -> Response:
    return Response({"status": "ok", "data": data}, **rest)


class Posts(APIView):
    def get(self, request: Any) -> Response:
        asked = valid(Asked, request.query_params.dict())
        page, size, cursor = asked["page"], asked["size"], asked["cursor"]
        wanted = Post.objects.filter(is_published=True).select_related("author")
        if asked["created_after"]:
            wanted = wanted.filter(created_at__gt=asked["created_after"])
        if cursor:
            at, last = shared.read_cursor(cursor)
            wanted = wanted.filter(Q(published_at__lt=at) | Q(published_at=at, id__lt=last))
        first = 0 if cursor is not None else (page - 1) * size
        rows = list(wanted.order_by("-published_at", "-id")[first : first + size + 1])
        items, more = rows[:size], len(rows) > size
        numbered = cursor is None
        return ok(
            {
                "items": PostOut(items, many=True).data,
                "page": page if numbered else None,
                "size": size,
                "total": PostTotal.objects.aggregate(n=Sum("published"))["n"] if numbered else None,
                **shared.links(page, size, cursor, items[-1] if more else None),
            }
        )

    def post(self, request: Any) -> Response:
        who = request.user
        if who is None:
            raise NotAuthenticated()
        given = valid(PostIn, request.data)
        with transaction.atomic():
            post = Post(id=shared.uuid7(), author=who, **given)
            post.published_at = Now() if post.is_published else None
            post.save(force_insert=True)
            if post.is_published:
                User.objects.filter(id=who.id).update(post_count=F("post_count") + 1)
                shard = PostTotal.objects.filter(shard=shared.shard())
                shard.update(published=F("published") + 1)
            post.refresh_from_db(
                fields=["published_at", "created_at", "updated_at", "comment_count"]
            )
        return ok(PostOut(post).data, status=201, headers={"Location": f"/api/v1/posts/{post.id}"})


class OnePost(APIView):
    def get(self, request: Any, id: uuid.UUID) -> Response:
        visible = Q(is_published=True)
        if request.user is not None:
            visible |= Q(author=request.user)
        return ok(
            PostOut(
                get_object_or_404(Post.objects.select_related("author").filter(visible), id=id)
            ).data
        )


class LogIn(APIView):
    def post(self, request: Any) -> Response:
        given = valid(LogInIn, request.data)
        who = (
            User.objects.annotate(lower=Lower("email")).filter(lower=given["email"].lower()).first()
        )
        if (
            who is None
            or who.status != "active"
            or not shared.fits(who.password_hash, given["password"])
        ):
            raise AuthenticationFailed()
        with transaction.atomic():
            opened = Session.objects.create(id=shared.uuid7(), user=who)
            RefreshToken.objects.create(
                token_hash=shared.refresh_token(), session=opened, sequence=1
            )
        token = shared.token_for(who.id, opened.id)
        return ok({"access_token": token, "token_type": "Bearer", "expires_in": 900})


def idle(_: Any, **__: Any) -> HttpResponseNotAllowed:
    return HttpResponseNotAllowed([])


def _routes() -> list[Any]:
    """As many as Madang has; those that are not measured do nothing."""
    return [
        path("api/v1/posts", Posts.as_view()),
        path("api/v1/posts/<uuid:id>", OnePost.as_view()),
        path("api/v1/auth/login", LogIn.as_view()),
        *(
            path(other.lstrip("/").replace("{id}", "<uuid:id>"), idle)
            for other in shared.OTHER_PATHS
        ),
    ]


urlpatterns = _routes()
app = get_wsgi_application()
