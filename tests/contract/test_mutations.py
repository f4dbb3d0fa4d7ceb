from __future__ import annotations

import pytest

from tests.contract import mutations
from tests.size import size


@pytest.mark.slow
def test_every_mutation_of_every_operation_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    """One of each sixth operation, or all of them where there is time."""
    sample = size(usual=True, proof=False)
    status = mutations.main(sample=sample)

    report = capsys.readouterr().out
    assert status == 0, report
    operations = len(mutations.CONTRACT.operations)
    number = -(-operations // 6) if sample else operations * len(mutations.MUTATIONS)
    assert report == f"{number} mutations, {number} caught\n"
