"""XML property lists as Apple's login services send them."""

from __future__ import annotations

import plistlib
from typing import Any
from xml.parsers.expat import ExpatError

CONTENT_TYPE = "text/x-xml-plist"


class BadPlistError(ValueError):
    """The body is no property list, or not a dictionary."""


def dumps(value: dict[str, Any]) -> bytes:
    """A whole plist with header."""
    return plistlib.dumps(value, fmt=plistlib.FMT_XML, sort_keys=False)


def fragment(value: dict[str, Any]) -> bytes:
    """The bare `<dict>...</dict>`, the form in which spd is encrypted."""
    whole = dumps(value)
    return whole[whole.index(b"<dict>") : whole.rindex(b"</plist>")].strip()


def loads(body: bytes) -> dict[str, Any]:
    """Parse a request; BadPlistError when it is no plist dictionary."""
    try:
        value = plistlib.loads(body, fmt=plistlib.FMT_XML)
    except (ExpatError, ValueError, OverflowError, AttributeError, TypeError, IndexError, KeyError) as err:
        raise BadPlistError("not an XML property list") from err
    if not isinstance(value, dict):
        raise BadPlistError("not a dictionary")
    return value
