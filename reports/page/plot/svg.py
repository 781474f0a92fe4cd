"""vl-convert's SVG made small and safe to put into a page: known elements and attributes only, round numbers, no scripts.

It has no style of its own: colours, sizes and the halo of words are attributes, so that it can be read where style sheets are forbidden.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from reports.page.palette import painted
from reports.text import clean

ELEMENTS = {"svg", "g", "path", "line", "rect", "text", "tspan"}
ATTRIBUTES = {"d", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "transform", "fill", "stroke", "stroke-width", "stroke-dasharray"}
ATTRIBUTES |= {
    "stroke-linecap",
    "stroke-linejoin",
    "opacity",
    "fill-opacity",
    "stroke-opacity",
    "text-anchor",
    "font-size",
    "font-weight",
    "viewBox",
}
DEFAULTS = {
    ("opacity", "1"),
    ("font-weight", "400"),
    ("font-weight", "normal"),
    ("stroke-dasharray", "1,0"),
    ("text-anchor", "start"),
    ("stroke-width", "0"),
}
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")
_STEP = re.compile(r"([MLHVZmlhvz])([^MLHVZmlhvz]*)")


def thin(raw: str, ident: str, title: str, desc: str) -> str:
    """Return ``raw`` (a whole SVG document) as a small inline element with a name and a description for screen readers."""
    root = ET.fromstring(raw)  # noqa: S314 - see the import
    _prune(root)
    root.attrib |= {"viewBox": f"0 0 {root.attrib['width']} {root.attrib['height']}", "font-family": "sans-serif"}
    root.attrib |= {"role": "img", "aria-labelledby": f"{ident}-title {ident}-desc", "class": "plot"}
    root.attrib.pop("fill", None)
    for index, (tag, text) in enumerate((("title", title), ("desc", desc))):
        element = ET.Element(tag, {"id": f"{ident}-{tag}"})
        element.text = clean(text)
        root.insert(index, element)
    return ET.tostring(root, encoding="unicode")


def _prune(element: ET.Element) -> None:
    """Drop namespaces, unknown attributes and whatever draws nothing, depth first."""
    element.tag = element.tag.rpartition("}")[2]
    element.attrib = {
        name: _short(name, value) for name, value in element.attrib.items() if name in ATTRIBUTES and (name, value) not in DEFAULTS
    }
    if element.get("transform") == "translate(0,0)":
        del element.attrib["transform"]
    if element.tag == "text" and element.get("stroke"):
        element.attrib |= {"paint-order": "stroke", "stroke-linejoin": "round"}  # a halo, not an outline
    for child in list(element):
        _prune(child)
    kept: list[ET.Element] = []
    for child in element:
        kept += _flat(child)
    element[:] = kept


def _flat(element: ET.Element) -> list[ET.Element]:
    """Return what stays of ``element``: nothing, itself, or its children where it only wrapped them."""
    if element.tag not in ELEMENTS or element.get("display") == "none":
        return []
    if element.tag == "g":
        return [element] if element.attrib and len(element) else list(element)
    paints = element.tag == "text" or element.get("stroke") or element.get("fill", "none") not in {"none", "transparent"}
    drawn = element.tag != "path" or bool(element.get("d"))
    return [element] if paints and drawn and element.get("opacity") != "0" else []


def _short(name: str, value: str) -> str:
    if name == "d":
        return path(value)
    if name in {"fill", "stroke"}:
        return painted(value)
    return _NUMBER.sub(lambda match: _round(float(match[0])), value).replace("px", "")


def _round(value: float) -> str:
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def path(data: str) -> str:
    """Return path data of straight lines with relative steps in tenths of a pixel; errors do not add up. Other paths: rounded."""
    steps = _STEP.findall(data)
    if "".join(command + rest for command, rest in steps) != data or re.search(r"[^MLHVZmlhvz\d\s,.e-]", data):
        return _NUMBER.sub(lambda match: _round(float(match[0])), data)
    out: list[str] = []
    x = y = 0
    for command, rest in steps:
        values = [round(float(v) * 10) for v in _NUMBER.findall(rest)]
        if command.islower() and command != "z":
            values = [v + origin for v, origin in zip(values, (y,) if command == "v" else (x, y), strict=False)]
        new_x = values[0] if command in "MLHmlh" else x
        new_y = values[-1] if command in "MLVmlv" else y
        out.append(_step(command, new_x, new_y, x, y))
        x, y = new_x, new_y
    return "".join(out)


def _step(command: str, x: int, y: int, old_x: int, old_y: int) -> str:
    """Return one step, (x, y) and (old_x, old_y) in tenths of a pixel."""
    if command in "Zz":
        return "z"
    if command in "Mm":
        return f"M{_tenths(x)} {_tenths(y)}"
    if y == old_y:
        return f"h{_tenths(x - old_x)}"
    if x == old_x:
        return f"v{_tenths(y - old_y)}"
    return f"l{_tenths(x - old_x)} {_tenths(y - old_y)}"


def _tenths(value: int) -> str:
    return _round(value / 10)
