"""What is said of a run whose journal can't be read."""

from uuid import UUID

from prefect_wfexec.errors import one_line
from prefect_wfexec.journal.keys import foreign_journal
from prefect_wfexec.views.live import PassedOver
from tests.unit.journal.support import RUN


def test_it_is_one_line_with_the_run_the_reason_and_the_mend() -> None:
    passed = PassedOver("wfr_8x7y6z5w", one_line(foreign_journal(UUID(RUN))))
    why = f"the journal of run {RUN} was signed with another key than this process has"
    mend = "give PREFECT_INTEGRATIONS_WFEXEC_SECRET_KEY the value that the run's engine has"
    assert str(passed) == f"wfr_8x7y6z5w: passed over, because {why}; {mend}"
