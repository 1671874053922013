"""The cards of a campaign as a Parquet file, with names instead of numbers."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

from sscard.campaign.results import COLUMNS, TIMES, Results
from sscard.campaign.rows import NEVER, Outcome
from sscard.errors import MissingPart
from sscard.files import unwritable
from sscard.i18n.phrase import Phrase

try:
    import pyarrow as pa
    from pyarrow import compute, parquet
except ModuleNotFoundError:
    raise MissingPart(Phrase("pyarrow is not installed"), "pip install 'sscard[parquet]'") from None

AT_ONCE: Final = 50_000
"""Cards of a row group, which are in memory at the same time."""
NAMED: Final = ("product", "place", "behaviour", "outcome")
SCHEMA: Final = pa.schema(
    [
        (
            name,
            pa.dictionary(pa.uint8(), pa.string())
            if name in NAMED
            else pa.binary(8)
            if name == "state"
            else pa.uint32(),
        )
        for name in COLUMNS
    ]
)


def write_parquet(results: Results, file: Path) -> None:
    """Write the cards that are done, in order; an existing file is replaced. Errors as of ``files.write_text``."""
    plan = results.plan
    words = (plan.products, plan.places, plan.behaviours, tuple(each.name.lower() for each in Outcome))
    names = {name: pa.array(each, pa.string()) for name, each in zip(NAMED, words, strict=True)}
    rows = results.values()
    try:
        with parquet.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
            while part := list(islice(rows, AT_ONCE)):
                columns = []
                for field, values in zip(SCHEMA, zip(*part, strict=True), strict=True):
                    column = pa.array(values, pa.uint8() if field.name in NAMED else field.type)
                    if field.name in NAMED:
                        column = pa.DictionaryArray.from_arrays(column, names[field.name])
                    elif field.name in TIMES:
                        column = compute.if_else(compute.equal(column, NEVER), None, column)
                    columns.append(column)
                writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
    except OSError as error:
        raise unwritable(file, error) from None
