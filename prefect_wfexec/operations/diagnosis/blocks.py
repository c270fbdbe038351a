"""Our block types and the documents people saved of them. What a document holds is not read."""

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from prefect_wfexec.operations.diagnosis.finding import Finding

if TYPE_CHECKING:
    from prefect.blocks.core import Block
    from prefect.client.orchestration import PrefectClient

PACKAGE = "prefect_wfexec.blocks"
REGISTER = f"prefect block register --module {PACKAGE}"


async def block_findings(client: "PrefectClient") -> list[Finding]:
    """A finding for each of our block types."""
    findings = [] if _is_collection() else [_no_collection()]
    known = {block_type.slug for block_type in await client.read_block_types()}
    for kind in our_block_types():
        slug = kind.get_block_type_slug()
        findings.append(await _block(client, kind, slug) if slug in known else _unregistered(kind, slug))
    return findings


def our_block_types() -> list["type[Block]"]:
    """Every block class this package shows, by name."""
    from prefect.blocks.core import Block

    import prefect_wfexec.blocks as package

    shown = [getattr(package, name) for name in sorted(package.__all__)]
    return [one for one in shown if isinstance(one, type) and issubclass(one, Block)]


async def _block(client: "PrefectClient", kind: "type[Block]", slug: str) -> Finding:
    documents = await client.read_block_documents_by_type(slug, include_secrets=False)
    names = sorted(document.name for document in documents if document.name and not document.is_anonymous)
    words = f"{kind.get_block_type_name()}: {', '.join(names) if names else 'none is saved'}"
    return Finding(f"block {slug}", "ok", words)


def _unregistered(kind: "type[Block]", slug: str) -> Finding:
    words = f"{kind.get_block_type_name()}: not registered, so Prefect's pages have no form for it"
    return Finding(f"block {slug}", "ok", words, REGISTER)


def _is_collection() -> bool:
    return any(point.value == PACKAGE for point in entry_points(group="prefect.collections"))


def _no_collection() -> Finding:
    words = "the package is not installed, so Prefect does not find its block types by their names"
    return Finding("blocks", "warning", words, "pip install prefect-wfexec")
