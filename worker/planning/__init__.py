"""Jobs by URL: workers find their files, scan them in ranges, and read and write chunks where they lie."""
