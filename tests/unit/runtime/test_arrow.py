import subprocess
import sys

PROGRAM = """
import sys
from homeostat_server.runtime.arrow import keep_pandas_out
keep_pandas_out()
keep_pandas_out()
import pyarrow as pa
assert pa.chunked_array([pa.array([[1], [2]])]).to_numpy().tolist() == [[1], [2]]
assert pa.array([b"a"]).dictionary_encode().indices.to_numpy().tolist() == [0]
assert "pandas" not in sys.modules
import pandas
"""


def test_arrow_leaves_pandas_alone() -> None:
    """Neither making an array nor reading one imports it, and who wants it still gets it."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
