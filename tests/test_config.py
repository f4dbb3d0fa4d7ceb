"""Settings: read once, every fault named at once, nothing weak accepted where it counts."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.config import Misconfigured, Settings

STRONG = "f3b1c9d27e604a58b1d2e3f40516273849a0b1c2d3e4f5061728394a5b6c7d8e"
WORKING = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://madang:secret@db.internal:5432/madang",
    "REDIS_URL": "rediss://:other@redis.internal:6379/0",
    "JWT_SECRET_KEY": STRONG,
    "PUBLIC_URL": "https://api.example.com",
}
EXAMPLE = Path(__file__).resolve().parents[1] / ".env.example"


def read(**changes: str | None) -> Settings:
    merged = WORKING | changes
    return Settings.from_env({name: value for name, value in merged.items() if value is not None})


def faults(**changes: str | None) -> list[str]:
    with pytest.raises(Misconfigured) as refused:
        read(**changes)
    return str(refused.value).splitlines()


class TestReading:
    def test_what_is_not_set_has_a_default_unless_it_is_a_secret(self) -> None:
        settings = read()

        assert (settings.port, settings.web_concurrency) == (8000, 2)
        assert (settings.trusted_proxy_hops, settings.rate_limit_scale) == (0, 1.0)
        assert (settings.log_level, settings.cors_origins) == ("INFO", ())
        assert settings.jwt_secret_key_previous is None
        assert settings.admin_email is settings.admin_password is None
        assert not settings.debug and settings.https

    def test_settings_cannot_be_changed(self) -> None:
        with pytest.raises(FrozenInstanceError):
            read().port = 1  # type: ignore[misc]

    def test_the_public_address_is_local_unless_it_is_told(self) -> None:
        settings = read(ENVIRONMENT="development", PUBLIC_URL=None, PORT="9000")

        assert settings.public_url == "http://localhost:9000"
        assert settings.debug and not settings.https

    def test_a_slash_behind_the_public_address_does_not_matter(self) -> None:
        assert read(PUBLIC_URL="https://api.example.com/").public_url == "https://api.example.com"

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
    def test_databases_go_by_several_names(self, scheme: str) -> None:
        """Heroku and Render say ``postgres://``."""
        assert read(DATABASE_URL=f"{scheme}://db/madang").database_url == f"{scheme}://db/madang"

    @pytest.mark.parametrize(
        "text", ["https://a.example https://b.example", "https://a.example,https://b.example"]
    )
    def test_origins_are_a_list(self, text: str) -> None:
        assert read(CORS_ORIGINS=text).cors_origins == ("https://a.example", "https://b.example")


class TestFiles:
    @pytest.mark.parametrize("name", WORKING)
    def test_each_setting_can_stand_in_a_file(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "value").write_text(WORKING[name] + "\n")

        assert read(**{name: None, f"{name}_FILE": str(tmp_path / "value")}) == read()

    def test_a_file_goes_before_a_variable(self, tmp_path: Path) -> None:
        (tmp_path / "port").write_text("9001")

        assert read(PORT="9000", PORT_FILE=str(tmp_path / "port")).port == 9001

    def test_one_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "binary").write_bytes(b"\xff")

        for path in (tmp_path / "missing", tmp_path / "binary", tmp_path):
            assert "JWT_SECRET_KEY_FILE names a file that cannot be read" in faults(
                JWT_SECRET_KEY=None, JWT_SECRET_KEY_FILE=str(path)
            )

    def test_an_empty_one_is_no_secret(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("\n")

        assert faults(JWT_SECRET_KEY_FILE=str(tmp_path / "empty")) == ["JWT_SECRET_KEY is not set"]


class TestFaults:
    def test_all_are_named_at_once(self) -> None:
        found = faults(
            ENVIRONMENT="prod",
            DATABASE_URL="mysql://x",
            REDIS_URL=None,
            JWT_SECRET_KEY="short",
            PUBLIC_URL="api.example.com",
            CORS_ORIGINS="*",
            TRUSTED_PROXY_HOPS="-1",
            RATE_LIMIT_SCALE="0",
            LOG_LEVEL="loud",
            PORT="0",
            WEB_CONCURRENCY="many",
            METRICS_PORT="-1",
            OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318",
            OTEL_TRACES_SAMPLER_ARG="1.1",
        )

        assert sorted(line.split()[0] for line in found) == sorted(
            ["ENVIRONMENT", "DATABASE_URL", "REDIS_URL", "JWT_SECRET_KEY", "PUBLIC_URL", "CORS_ORIGINS",
             "TRUSTED_PROXY_HOPS", "RATE_LIMIT_SCALE", "LOG_LEVEL", "PORT", "WEB_CONCURRENCY", "METRICS_PORT",
             "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER_ARG"]
        )  # fmt: skip

    def test_metrics_are_not_served_where_everybody_is(self) -> None:
        assert faults(PORT="8000", METRICS_PORT="8000") == [
            "METRICS_PORT must not be PORT, which is public"
        ]

    def test_an_empty_environment_names_all_that_is_needed(self) -> None:
        with pytest.raises(Misconfigured) as refused:
            Settings.from_env({})

        for name in ("ENVIRONMENT", "DATABASE_URL", "REDIS_URL", "JWT_SECRET_KEY"):
            assert name in str(refused.value)

    def test_no_fault_repeats_a_value(self) -> None:
        found = faults(
            JWT_SECRET_KEY="canary", DATABASE_URL="mysql://canary", PORT="canary",
            PUBLIC_URL="canary", CORS_ORIGINS="canary", RATE_LIMIT_SCALE="canary",
        )  # fmt: skip

        assert "canary" not in "\n".join(found)

    @pytest.mark.parametrize("name", ["PORT", "WEB_CONCURRENCY", "TRUSTED_PROXY_HOPS"])
    @pytest.mark.parametrize(
        "text", ["x", "1.5", "-1", "1_0", "٣", " 1", "+1", "1e1", "9" * 5_000, "70000"]
    )
    def test_whole_numbers_are_ascii_digits_within_bounds(self, name: str, text: str) -> None:
        [fault] = faults(**{name: text})

        assert fault.startswith(f"{name} must be a whole number from ")

    @pytest.mark.parametrize("text", ["x", "0", "-1", "nan", "inf", "-inf", "1000001"])
    def test_a_scale_is_a_number_above_zero_that_answers_can_show(self, text: str) -> None:
        """Limits cannot be switched off."""
        [fault] = faults(RATE_LIMIT_SCALE=text)
        assert fault == "RATE_LIMIT_SCALE must be a number above 0 and at most 1000000"

    @pytest.mark.parametrize(
        "url",
        [
            "db/madang",
            "http://db",
            "postgresql://db:port/x",
            "postgresql://[::1/x",
            "postgresql://db:99999/x",
            "postgresql://db:0/x",
        ],
    )
    def test_an_address_that_cannot_be_read_is_a_fault(self, url: str) -> None:
        [fault] = faults(DATABASE_URL=url)

        assert fault.startswith("DATABASE_URL must be a URL that begins with postgres")

    @pytest.mark.parametrize(
        "url",
        [
            "api.example.com",
            "ftp://x",
            "https://",
            "https://x/path",
            "https://x?y",
            "https://[::1",
            "https://x:y",
            # No browser's Origin header ever equals these.
            "https://X.org",
            "https://x.org:443",
            "https://u:p@x.org",
            "https://x.org#f",
            "https://x .org",
            "https://마당.kr",
        ],
    )
    def test_the_public_address_is_an_origin(self, url: str) -> None:
        assert faults(PUBLIC_URL=url) == [
            "PUBLIC_URL must be an origin such as https://api.example.com"
        ]


class TestSecrets:
    def test_32_bytes_are_the_least(self) -> None:
        """RFC 7518, 3.2."""
        assert faults(JWT_SECRET_KEY=STRONG[:31]) == ["JWT_SECRET_KEY must have at least 32 bytes"]
        assert read(JWT_SECRET_KEY=STRONG[:32]).jwt_secret_key == STRONG[:32]

    @pytest.mark.parametrize(
        "secret",
        [
            "a" * 32,
            "12345678" * 8,
            "12345678901234567890123456789012345678",
            "abcdefghij" * 4,
            "my-Secret-" + STRONG,
            "changeme" + STRONG,
            "madang" + STRONG,
        ],
    )
    def test_one_that_can_be_guessed_is_refused_in_production(self, secret: str) -> None:
        [fault] = faults(JWT_SECRET_KEY=secret)

        assert "can be guessed" in fault
        assert read(ENVIRONMENT="development", JWT_SECRET_KEY=secret).jwt_secret_key == secret

    def test_the_previous_one_is_held_to_the_same(self) -> None:
        assert faults(JWT_SECRET_KEY_PREVIOUS="short") == [
            "JWT_SECRET_KEY_PREVIOUS must have at least 32 bytes"
        ]
        assert "can be guessed" in faults(JWT_SECRET_KEY_PREVIOUS="b" * 40)[0]

    def test_two_keys_are_different(self) -> None:
        assert faults(JWT_SECRET_KEY_PREVIOUS=STRONG) == [
            "JWT_SECRET_KEY and JWT_SECRET_KEY_PREVIOUS must differ"
        ]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DATABASE_URL", f"postgresql://madang:{STRONG}@db/madang"),
            ("REDIS_URL", f"redis://:{STRONG}@redis/0"),
            ("ADMIN_PASSWORD", STRONG),
        ],
    )
    def test_one_secret_has_one_use(self, name: str, value: str) -> None:
        assert "JWT_SECRET_KEY must not be used as another secret" in faults(**{name: value})


class TestOnRender:
    """Which sets variables of its own, so that nobody has to be asked."""

    URL = "https://madang.onrender.com"

    def test_the_address_is_known(self) -> None:
        assert read(PUBLIC_URL=None, RENDER_EXTERNAL_URL=self.URL).public_url == self.URL

    def test_an_address_of_ones_own_comes_first(self) -> None:
        assert read(RENDER_EXTERNAL_URL=self.URL).public_url == WORKING["PUBLIC_URL"]

    def test_the_commit_is_known(self) -> None:
        assert read(RENDER_GIT_COMMIT="4f0c2d9e").revision == "4f0c2d9e"
        assert read(RENDER_GIT_COMMIT="4f0c2d9e", REVISION="0a1b2c3d").revision == "0a1b2c3d"
        assert read().revision is None

    def test_something_else_is_no_commit(self) -> None:
        assert faults(REVISION="main") == ["REVISION must be the hash of a commit"]

    @given(key=st.binary(min_size=32, max_size=32), password=st.binary(min_size=32, max_size=32))
    def test_secrets_that_it_makes_are_good_enough(self, key: bytes, password: bytes) -> None:
        """256 bits in base64, as ``generateValue`` says."""
        assume(key != password and len(set(key)) > 20)
        made = read(
            JWT_SECRET_KEY=b64encode(key).decode(),
            ADMIN_EMAIL="keeper@example.com",
            ADMIN_PASSWORD=b64encode(password).decode(),
        )
        assert made.signing_keys


class TestProduction:
    def test_knows_its_public_address(self) -> None:
        assert faults(PUBLIC_URL=None) == ["PUBLIC_URL is not set"]

    def test_is_served_over_https(self) -> None:
        assert faults(PUBLIC_URL="http://api.example.com") == [
            "PUBLIC_URL must be https in production"
        ]

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
    def test_may_be_tried_on_one_machine(self, host: str) -> None:
        assert read(PUBLIC_URL=f"http://{host}:8000").public_url == f"http://{host}:8000"

    @pytest.mark.parametrize(
        "origin",
        [
            *("*", "https://*.example.com", "example.com", "null", "chrome-extension://abc"),
            # No browser's Origin header ever equals these.
            *("https://b.example/", "https://B.example", "https://b.example:443"),
        ],
    )
    def test_trusts_named_origins_alone(self, origin: str) -> None:
        [fault] = faults(CORS_ORIGINS=f"https://a.example {origin}")

        assert fault.startswith("CORS_ORIGINS must list exact origins")


def test_the_example_names_every_setting_and_nothing_that_nobody_reads() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    named = [match[1] for line in lines if (match := re.fullmatch(r"([A-Z_]+)=.*", line))]

    # NAME_FILE goes without saying.
    settings = [
        name for field in fields(Settings) if not (name := field.name.upper()).endswith("_FILE")
    ]
    assert sorted(named) == sorted([*settings, *ELSEWHERE])


ELSEWHERE = (
    "BIND",  # read by scripts/gunicorn.conf.py
)


class TestWhatBelongsTogether:
    def test_a_first_administrator_needs_both_address_and_password(self) -> None:
        assert faults(ADMIN_EMAIL="root@example.com") == [
            "ADMIN_EMAIL and ADMIN_PASSWORD go together"
        ]

    def test_production_has_to_say_where_it_is(self) -> None:
        assert faults(PUBLIC_URL=None) == ["PUBLIC_URL is not set"]
