"""A page as a browser reads it: its elements, its text, and what its form would send."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "input", "br", "hr", "img", "link"})


@dataclass(slots=True)
class Html:
    """What was read.

    Attributes:
        tags: Every element with its attributes, in order.
        text: What is shown, a blank between two elements.
        hidden: What the hidden fields of its forms hold.
        buttons: What its buttons decide.
        open: The elements that were never closed.
    """

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    hidden: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


def read_html(source: str) -> Html:
    """Read a page; one whose elements are not nested as they should be fails."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    found = reader.found
    found.text = " ".join(found.text.split())
    assert not found.open, f"never closed: {found.open}"
    return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Html()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.found.tags.append((tag, attributes))
        if tag == "input" and attributes.get("type") == "hidden":
            self.found.hidden[attributes["name"]] = attributes["value"]
        if tag == "button" and attributes.get("name") == "decision":
            self.found.buttons.append(attributes["value"])
        if tag not in _VOID:
            self.found.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.found.open and self.found.open[-1] == tag, f"</{tag}> closes {self.found.open[-1:]}"
            self.found.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.found.open or self.found.open[-1] not in {"style", "script"}:
            self.found.text += f" {data}"
