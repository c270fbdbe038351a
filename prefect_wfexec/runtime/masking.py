"""Secrets are taken out of text before it is written anywhere."""

from collections.abc import Iterable
from threading import Lock

from prefect_wfexec.runtime.secret_forms import forms_of
from prefect_wfexec.runtime.secret_matcher import MASK, SecretMatcher, join_spans

__all__ = ["MASK", "Masker", "StreamMasker"]


class Masker:
    """Knows secrets and replaces them by `***`, in every form they are likely to be printed in.

    Overlapping and touching occurrences become one mask, so no part of a longer secret stays behind a shorter one.
    Masking what is masked changes nothing. Safe to use from several threads.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = Lock()
        self._secrets: dict[str, None] = {}
        self._forms: set[str] = set()
        self._matcher: SecretMatcher | None = None
        self.add(*secrets)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets as they were added, in order; short ones too."""
        return tuple(self._secrets)

    def add(self, *secrets: str) -> None:
        """Mask these strings from now on; strings under six characters are not masked in running text."""
        with self._lock:
            new = [secret for secret in secrets if secret and secret not in self._secrets]
            self._secrets.update(dict.fromkeys(new))
            forms = set().union(*(forms_of(secret) for secret in new))
            if not forms <= self._forms:
                self._forms |= forms
                self._matcher = None

    def mask(self, text: str) -> str:
        """The text without secrets."""
        return StreamMasker(self).finish(text)

    def mask_rest(self, text: str) -> str:
        """The text without secrets, when its beginning is lost: what may be the rest of a secret is masked too."""
        return StreamMasker(self, covered=self.matcher.broken_start(text)).finish(text)

    def mask_value(self, value: object) -> object:
        """A JSON value with every string in it masked, keys included."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            masked: dict[object, object] = {}
            for key, item in value.items():
                masked[_free_key(self.mask(key) if isinstance(key, str) else key, masked)] = self.mask_value(item)
            return masked
        if isinstance(value, list | tuple):
            return [self.mask_value(item) for item in value]
        return value

    def stream(self) -> "StreamMasker":
        """A masker for text that arrives in pieces; it knows every secret added here, also later."""
        return StreamMasker(self)

    @property
    def matcher(self) -> SecretMatcher:
        """What finds the secrets known now."""
        matcher = self._matcher
        if matcher is None:
            with self._lock:
                matcher = self._matcher = SecretMatcher(self._forms)
        return matcher


class StreamMasker:
    """Masks one text that arrives in pieces of any size, also where a secret is cut in two.

    Only an end that may be the beginning of a secret is held back, so memory does not grow with the text.
    The pieces given back, joined, are what `Masker.mask` makes of the whole.

    Args:
        masker: Knows the secrets.
        covered: How many characters at the beginning are masked in any case.
    """

    def __init__(self, masker: Masker, covered: int = 0) -> None:
        self._masker = masker
        self._held = ""
        self._covered = covered
        self._behind_mask = False
        self._tail = ""

    def feed(self, text: str) -> str:
        """Take the next piece and give back what can be told already."""
        matcher = self._masker.matcher
        return self._reform(self._advance(text, matcher, is_last=False), matcher, is_last=False)

    def flush(self) -> str:
        """Give back what was held, and start anew."""
        return self.finish("")

    def finish(self, text: str) -> str:
        """Take the last piece and give back all that is left."""
        matcher = self._masker.matcher
        rest = self._reform(self._advance(text, matcher, is_last=True), matcher, is_last=True)
        self._behind_mask = False
        return rest

    def _advance(self, text: str, matcher: SecretMatcher, *, is_last: bool) -> str:
        text = self._held + text
        settled = len(text) if is_last else matcher.held_from(text)
        spans = matcher.spans(text)
        if self._covered:
            spans = join_spans([(0, self._covered), *spans])
        kept: list[str] = []
        position = 0
        for start, end in spans:
            if start >= settled:
                break
            if start > position:
                kept.append(text[position:start])
                self._behind_mask = False
            if not self._behind_mask:
                kept.append(MASK)
                self._behind_mask = True
            position = end
        if position < settled:
            kept.append(text[position:settled])
            self._behind_mask = False
            position = settled
        self._covered = max(position, self._covered) - settled
        self._held = text[settled:]
        return "".join(kept)

    def _reform(self, text: str, matcher: SecretMatcher, *, is_last: bool) -> str:
        """Mask what a mask has made into a secret: `ab***cd` may be one, and another stood between `ab` and `cd`."""
        if not matcher.reforming and not self._tail:
            return text
        ready, self._tail = _reduced(self._tail, text, matcher.reforming, 4 * matcher.longest)
        if is_last:
            ready, self._tail = ready + self._tail, ""
        return ready


def _reduced(tail: str, text: str, strings: tuple[str, ...], window: int) -> tuple[str, str]:
    """What is ready, and the end that may still change, once each of the strings has become a mask."""
    if "*" not in tail and "*" not in text:
        whole = tail + text
        ready = max(0, len(whole) - window)
        return whole[:ready], whole[ready:]
    done: list[str] = []
    for char in text:
        tail += char
        while match := next((string for string in strings if tail.endswith(string)), None):
            tail = tail[: -len(match)] + MASK
        if len(tail) > window:
            done.append(tail[: len(tail) - window])
            tail = tail[len(tail) - window :]
    return "".join(done), tail


def _free_key(key: object, taken: dict[object, object]) -> object:
    """The key, numbered when two keys are the same once masked."""
    free, number = key, 1
    while free in taken:
        number += 1
        free = f"{key} ({number})"
    return free
