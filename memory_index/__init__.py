"""What is remembered: counts of (query, segment, entity, day), the store that keeps them, snapshots of them, the reader that answers
from them in microseconds, and the log of what was concluded. `counts`, `q2e` and `reader` need numpy only; the rest duckdb or pyarrow.
"""
