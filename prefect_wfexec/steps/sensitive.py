"""Which outputs hold a secret: the ones that the masker would change, and those that are a short secret as a whole."""

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.runtime.masking import Masker


def secret_paths(outputs: JSON, masker: Masker) -> frozenset[tuple[str, ...]]:
    """The paths of the values in `outputs` that hold a secret; a list with a secret in it is one value."""
    return frozenset(_paths(outputs, masker, ()))


def _paths(value: JSON, masker: Masker, path: tuple[str, ...]) -> set[tuple[str, ...]]:
    if isinstance(value, dict):
        found: set[tuple[str, ...]] = set()
        for key, item in value.items():
            found |= _paths(item, masker, (*path, str(key)))
        return found
    return {path} if masker.mask_value(value) != value or _is_short_secret(value, masker) else set()


def _is_short_secret(value: JSON, masker: Masker) -> bool:
    """Text is searched for secrets of six characters and more only."""
    return isinstance(value, str) and value.strip() in masker.secrets
