"""Step ids where only some characters may stand."""

import re

from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.engine.instance_names import file_name, is_instance_of, plain_name


def test_plain_ids_stay_readable() -> None:
    assert plain_name("health_check") == "health-check"
    assert file_name("health_check") == "health_check"
    assert re.fullmatch(r"deploy-eu-west-1-[0-9a-f]{12}", plain_name("deploy[eu-west-1]"))


@given(st.text(max_size=100), st.text(max_size=100))
def test_no_two_instances_share_a_name_and_none_leaves_its_folder(first: str, second: str) -> None:
    names = [make(f"deploy[{key}]") for make in (plain_name, file_name) for key in (first, second)]
    assert all(re.fullmatch(r"[a-z0-9-]{1,100}", name) for name in names)
    assert (names[0] == names[1]) is (first == second)


def test_whose_instance_an_id_is() -> None:
    assert is_instance_of("deploy[eu]", "deploy")
    assert not is_instance_of("deploy_all[eu]", "deploy")
    assert not is_instance_of("deploy", "deploy")
