"""The published JSON Schema is the one that the code validates with."""

import json
from pathlib import Path

import pytest

from emoreason.report.schema import json_schema

FILE = Path(__file__).parents[2] / "docs" / "report.schema.json"


@pytest.mark.skipif(not FILE.is_file(), reason="not a checkout: docs are not installed")
def test_the_published_schema_is_current():
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(json_schema())), (
        "write docs/report.schema.json anew from emoreason.report.schema.json_schema()"
    )
