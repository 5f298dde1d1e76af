"""Reports written by earlier versions, brought to the schema of now. The only place that knows how the versions differ."""

from typing import Any

SCHEMA = "emoreason/report/2"
FIRST = "emoreason/report/1"
READ = (FIRST, SCHEMA)


def migrated(values: Any) -> dict[str, Any]:
    """`values`: what the JSON of a report holds; returned in the form of SCHEMA.

    Schema 2 only adds fields, and what an earlier version did not know is null, so a report of schema 1 needs no more than the
    new name. Raises ValueError for anything that is not a report of a version in READ, saying what was found.
    """
    if not isinstance(values, dict):
        raise ValueError(f"a report is a JSON object, this is a {type(values).__name__}")
    found = values.get("schema")
    if found not in READ:
        what = "no 'schema' at all" if found is None else f"schema {found!r}"
        raise ValueError(f"this has {what}; this version of emoreason reads reports of {' and '.join(READ)}")
    return values | {"schema": SCHEMA}
