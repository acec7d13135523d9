"""Arrow without pandas: whether pandas is there is asked once, and the answer is no. It knows no data."""

import sys
import warnings
from types import ModuleType
from typing import Final

import pyarrow as pa

_PANDAS: Final = "pandas"


def keep_pandas_out() -> None:
    """Let Arrow believe that there is no pandas, which the engine's wheel brings along; other imports still find it.

    At the first value that it turns into an array, or an array into numpy's, Arrow imports pandas to see whether it is
    one of its: a second of CPU and 60 MB in the first question, for what nobody here uses. It remembers the answer.
    """
    if _PANDAS in sys.modules:
        return
    stand_in = ModuleType(_PANDAS)
    stand_in.__dict__["__version__"] = "0.0.0"  # Arrow warns of one that is too old, and does without
    sys.modules[_PANDAS] = stand_in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pa.array([0])
    finally:
        del sys.modules[_PANDAS]
