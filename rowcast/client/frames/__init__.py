"""DataFrames of pandas and polars: sent without loss, and returned with predictions as columns."""
