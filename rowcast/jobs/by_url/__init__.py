"""Jobs whose files already lie in a folder or a bucket: their URLs, and how workers plan and read them."""
