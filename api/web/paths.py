"""Which paths are pages for people. They are not part of the API, and their errors are pages, too."""


def is_page(path: str) -> bool:
    """Returns whether a path, or the pattern of a route, is that of a page or of a file that pages load."""
    return path in ("/", "/ui") or path.startswith(("/ui/", "/static/"))
