from __future__ import annotations

import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError

import pytest
from argon2 import PasswordHasher

from api.infra import passwords

WEAK = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)


class TestVerify:
    def test_the_same_password_and_no_other(self) -> None:
        stored = passwords.hash_password("four quiet magpies")

        assert passwords.verify(stored, "four quiet magpies")
        assert not passwords.verify(stored, "four quiet magpie")
        assert not passwords.verify(stored, "four quiet magpies ")

    def test_two_hashes_of_one_password_differ(self) -> None:
        first, second = (passwords.hash_password("four quiet magpies") for _ in range(2))

        assert first != second

    @pytest.mark.parametrize("guess", ["", "nobody has this password", "four quiet magpies"])
    def test_nobody_has_no_password(self, guess: str) -> None:
        assert not passwords.verify(None, guess)

    @pytest.mark.parametrize("stored", ["", "!", "plain", "$argon2id$v=19$m=19456,t=2,p=1$x$y"])
    def test_what_is_no_hash_matches_nothing(self, stored: str) -> None:
        assert not passwords.verify(stored, stored)
        assert not passwords.verify(stored, "nobody has this password")


class TestIsOutdated:
    """A1."""

    def test_other_parameters_are_renewed(self) -> None:
        assert passwords.is_outdated(WEAK.hash("four quiet magpies"))

    def test_our_own_are_not(self) -> None:
        stored = passwords.hash_password("four quiet magpies")

        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert not passwords.is_outdated(stored)


class TestCommonPasswords:
    """A4."""

    def test_the_list_is_long_enough_and_of_passwords_that_could_be_sent(self) -> None:
        listed = passwords._common()

        assert len(listed) >= 3000
        assert all(8 <= len(password) <= 128 for password in listed)
        assert all(password == password.lower() for password in listed)

    @pytest.mark.parametrize("password", ["password", "PASSWORD", "Trustno1", "1qaz2wsx"])
    def test_common_ones_are_known_in_any_case(self, password: str) -> None:
        assert passwords.is_common(password)

    @pytest.mark.parametrize("password", ["four quiet magpies", "fourquietmagpie", "# Common"])
    def test_others_are_not(self, password: str) -> None:
        assert not passwords.is_common(password)


class TestTurns:
    def test_one_hash_at_a_time(self) -> None:
        both = Barrier(2, timeout=0.2)

        def meet() -> bool:
            try:
                both.wait()
            except BrokenBarrierError:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            met = list(threads.map(lambda _: passwords._turns.take(meet), range(2)))

        assert met == [False, False]

    @pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others keep no memory")
    def test_their_memory_is_given_back_when_there_are_no_more(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", IDLE], capture_output=True, text=True, check=True
        )

        hashed, idle = map(int, done.stdout.split())
        assert hashed - idle > 15_000, "KiB"


IDLE = """
import os, time
from api.infra import memory, passwords

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

memory.share()
passwords.IDLE = 0.5
for _ in range(3):
    passwords.hash_password("four quiet magpies")
hashed = resident()
end = time.monotonic() + 20
while resident() > hashed - 15_000 and time.monotonic() < end:
    time.sleep(0.05)
print(hashed, resident())
"""
