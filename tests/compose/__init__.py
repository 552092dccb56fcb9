"""The containers of Compose. A package, so that they end with the last of these tests."""
