"""Conversion: Parquet files and Excel workbooks become chunks of CSV, as the gateway would cut them."""
