"""The version. pyproject.toml reads it from here, because the containers have the code without package metadata."""

VERSION = "0.1.0"
