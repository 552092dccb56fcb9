"""The web page: server-rendered pages for people. They use the same calls as programs do."""
