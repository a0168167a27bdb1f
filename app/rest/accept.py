"""What a caller would like best (RFC 9110, section 12.5.1)."""


def prefers(accept: str | None, wanted: str, *, default: str) -> bool:
    """Whether an Accept header names the media type `wanted`, and wants it at least as much as `default`."""
    weights = dict(_weight(part) for part in (accept or "").split(","))
    return weights.get(wanted, 0.0) > 0 and weights[wanted] >= weights.get(default, 0.0)


def _weight(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0
