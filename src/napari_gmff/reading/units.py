"""Units of length, as microscopes and their programs spell them, in µm."""

from __future__ import annotations

UM_PER_UNIT = {
    "pm": 1e-6,
    "picometer": 1e-6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "um": 1.0,
    "micron": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "inch": 25400.0,
    "in": 25400.0,
}


def um_per_unit(unit: str | None) -> float | None:
    r"""Length of a unit in µm, or None if it is not a known unit of length.

    Parameters
    ----------
    unit : str or None
        Such as ``"µm"``, ``"micron"``, ``"um"``, ``"\u00B5m"`` (as ImageJ escapes it),
        ``"nanometer"`` or ``"pixel"`` (which is no length).

    Returns
    -------
    float or None
        µm per unit.
    """
    if not unit:
        return None
    text = unit.strip()
    if text.casefold().startswith("\\u00b5"):
        text = "u" + text[len("\\u00b5") :]
    # Both signs for micro occur: the micro sign U+00B5 and the Greek letter U+03BC.
    text = text.replace("\u00b5", "u").replace("\u03bc", "u").replace("\u212b", "å")
    text = text.casefold().replace("metre", "meter")
    return UM_PER_UNIT.get(text) or UM_PER_UNIT.get(text.removesuffix("s"))
