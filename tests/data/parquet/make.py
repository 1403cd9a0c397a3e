"""Makes the Parquet files of this folder; they are committed, this says how. Needs pyarrow 26.0.1.
Usage: make.py FOLDER"""
import datetime
import pathlib
import sys

import pyarrow
import pyarrow.parquet

folder = pathlib.Path(sys.argv[1])

# One of everything that rows of datasets hold.
pyarrow.parquet.write_table(
    pyarrow.table({
        "id": pyarrow.array([1, 2, 3], pyarrow.int64()),
        "question": ["What is 2+2?", "Grüße, 世界 \U0001f600", 'a "quoted"\nline'],
        "score": [0.1, -1e300, None],
        "good": [True, None, False],
        "tags": [["a", "b"], [], None],
        "meta": [{"source": "x", "n": 1}, {"source": None, "n": 2}, None],
        "at": [datetime.datetime(2026, 1, 2, 3, 4, 5), None, None],
        "big": pyarrow.array([2**63 - 1, -(2**63), 0], pyarrow.int64()),
    }),
    folder / "kinds.parquet",
    compression="zstd",
)
# More than one chunk of rows, in several row groups, with every row its number.
count = 5000
pyarrow.parquet.write_table(
    pyarrow.table({
        "id": list(range(count)),
        "question": [f"What is {n} + {n}?" for n in range(count)],
        "answer": [str(2 * n) for n in range(count)],
    }),
    folder / "rows.parquet",
    row_group_size=2000,
    compression="zstd",
)
pyarrow.parquet.write_table(
    pyarrow.table({"id": pyarrow.array([], pyarrow.int64())}), folder / "empty.parquet"
)
