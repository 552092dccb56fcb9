"""The documentation that the gateway serves, as pages for people and as Markdown for programs."""
