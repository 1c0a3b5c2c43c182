"""XML read element by element through defusedxml: no entities, no document types, nothing from outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from layers.errors import N_
from layers.readers.plain import Limits, Unreadable


def local(tag: object) -> str:
    """The name of an element without its namespace."""
    return str(tag).rsplit("}", 1)[-1]


@contextmanager
def told(file: str) -> Iterator[None]:
    """Says what is wrong with an XML file as a sentence."""
    try:
        yield
    except DefusedXmlException as error:
        text = N_(
            "The file “{file}” declares entities or a document type, which could reach into other files. "
            "Save it without them."
        )
        raise Unreadable(text, file=file) from error
    except (ParseError, ValueError, LookupError) as error:
        line = getattr(error, "position", (0, 0))[0]
        text = N_(
            "The file “{file}” is no proper XML from line {line} on, or breaks off there. Save or fetch "
            "it again."
        )
        raise Unreadable(text, file=file, line=line) from error


def elements(
    source: Path | BinaryIO, *, file: str, limits: Limits
) -> Iterator[tuple[str, Element, list[str]]]:
    """("start" or "end", element, names of the elements around it and its own), in the order of the file.

    Raises:
        Unreadable: it is broken, nested too deeply, or declares entities.
    """
    stack: list[str] = []
    stream: Any = source.open("rb") if isinstance(source, Path) else source
    try:
        parsed = iterparse(stream, events=("start", "end"), forbid_dtd=True)
        while True:
            with told(file):
                step = next(parsed, None)
            if step is None:
                return
            event, element = step
            if event == "start":
                stack.append(local(element.tag))
                if len(stack) > limits.depth:
                    text = N_(
                        "The elements of “{file}” are nested more than {most} deep. Save it in another "
                        "program."
                    )
                    raise Unreadable(text, file=file, most=limits.depth)
            yield event, element, stack
            if event == "end":
                stack.pop()
    finally:
        stream.close()


def root(path: Path, *, file: str) -> str:
    """The name of the outermost element with its namespace.

    Raises:
        Unreadable: the beginning is no XML, or declares entities.
    """
    with told(file), path.open("rb") as stream:
        for _, element in iterparse(stream, events=("start",), forbid_dtd=True):
            return str(element.tag)
    return ""
