"""The result as a Parquet file: the types of its columns, and its row groups."""
