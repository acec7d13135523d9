import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.telemetry_store import FilledStore

DOCS = Path(__file__).parents[4] / "docs" / "traces"
PAGES = ("error_correlation.md", "compare.md")
EXAMPLES = [
    url for page in PAGES for url in re.findall(r'curl -s "([^"]+)"', (DOCS / page).read_text(encoding="utf-8"))
]


def test_there_are_examples() -> None:
    """Both pages have some."""
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("url", EXAMPLES)
async def test_an_example_of_the_pages_is_answered(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient, url: str
) -> None:
    """As it stands there; traces that it names are there."""
    trace_ids = re.findall(r"\b[0-9a-f]{32}\b", url)
    span_id = (re.findall(r"/spans/([0-9a-f]{16})/", url) or ["01" * 8])[0]
    spans = [otlp.span(trace_id=bytes.fromhex(each), span_id=bytes.fromhex(span_id)) for each in trace_ids]
    filled.insert(tenant, otlp.traces(otlp.span(), *spans))
    parts = urlsplit(url)
    response = await client.get(parts.path, params=parts.query)
    assert response.status_code == 200, response.text
