from __future__ import annotations

import pytest

from tests.contract import mutations


@pytest.mark.slow
def test_every_mutation_of_every_operation_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    status = mutations.main()

    report = capsys.readouterr().out
    assert status == 0, report
    number = len(mutations.CONTRACT.operations) * len(mutations.MUTATIONS)
    assert report == f"{number} mutations, {number} caught\n"
