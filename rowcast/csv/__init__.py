"""CSV as bytes: where rows and fields lie, how a file is cut into chunks, how cells are written."""
