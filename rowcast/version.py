"""The version, which pyproject.toml takes from here: the containers have the code without a package's metadata."""

VERSION = "0.1.0"
