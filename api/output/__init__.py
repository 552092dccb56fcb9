"""Output to callers: responses, and results that are streamed part by part."""
