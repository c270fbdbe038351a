"""The sample of stories that a whole run takes."""

from tests.support.sampling import ALWAYS, STORIES, drawn

FILES = [f"{folder}test_{number}.py" for folder in STORIES for number in range(9)] + sorted(ALWAYS)


def test_a_sample_is_a_third_of_each_folder_and_the_main_job() -> None:
    taken = drawn(FILES, "1")
    assert taken >= ALWAYS
    for folder in STORIES:
        assert len([name for name in taken - ALWAYS if name.startswith(folder)]) == 3


def test_a_seed_draws_the_same_again_and_seeds_together_draw_everything() -> None:
    assert drawn(FILES, "1") == drawn(list(reversed(FILES)), "1")
    assert set().union(*(drawn(FILES, str(seed)) for seed in range(40))) == set(FILES)
