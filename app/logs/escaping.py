"""Text that a terminal shows and never obeys."""


def escaped(text: str) -> str:
    """Replace what is not printable (control and escape codes, line ends, direction marks) by its escape."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii") for mark in text)
