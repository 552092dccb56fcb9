"""What a caller gets: responses, and results streamed part by part."""
