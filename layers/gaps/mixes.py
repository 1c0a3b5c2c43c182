"""Who is wanted: one role, or several joined: “police and (village or watch)”."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from layers.errors import N_, Invalid

ALL, ANY = "and", "or"
_MOST = 200
_TOKEN = re.compile(r"[a-z0-9_]+|[()]", re.ASCII)


class BadMix(Invalid):
    text = N_(
        "“{text}” does not say who is wanted. Write a role, or roles joined by “and”, “or” and brackets,"
        " as in: {example}."
    )


class NoSuchRole(Invalid):
    text = N_("“{role}” is no role that an organisation plays here; known are: {roles}.")


@dataclass(frozen=True)
class Mix:
    """Roles that are wanted together (`of` is "and") or of which one is enough ("or").

    A part is the key of a role or another mix. One role alone is a mix of one part.
    """

    of: str
    parts: tuple["str | Mix", ...]

    def roles(self) -> tuple[str, ...]:
        """Every role that is named, once, in the order of the text."""
        return tuple(dict.fromkeys(self._roles()))

    def _roles(self) -> Iterator[str]:
        for part in self.parts:
            yield from (part,) if isinstance(part, str) else part.roles()


def mix(text: str, *, roles: Collection[str]) -> Mix:
    """Reads who is wanted; “and” binds closer than “or”.

    Raises:
        BadMix: it is not of this form.
        NoSuchRole: it names a role that is not in `roles`.
    """
    tokens = _TOKEN.findall(text.lower())
    if len(text) > _MOST or _TOKEN.sub("", text.lower()).strip():
        raise _bad(text, roles)
    reading = _Reading(text, tokens, roles)
    found = reading.joined(ANY)
    if reading.tokens:
        raise _bad(text, roles)
    return found if isinstance(found, Mix) else Mix(ANY, (found,))


@dataclass
class _Reading:
    """What is left to read of a text."""

    text: str
    tokens: list[str]
    roles: Collection[str]

    def joined(self, word: str) -> str | Mix:
        parts = [self._part(word)]
        while self.tokens[:1] == [word]:
            self.tokens.pop(0)
            parts.append(self._part(word))
        return parts[0] if len(parts) == 1 else Mix(word, tuple(parts))

    def _part(self, word: str) -> str | Mix:
        return self.joined(ALL) if word == ANY else self._single()

    def _single(self) -> str | Mix:
        word = self.tokens.pop(0) if self.tokens else ""
        if word == "(":
            found = self.joined(ANY)
            if not self.tokens or self.tokens.pop(0) != ")":
                raise _bad(self.text, self.roles)
            return found
        if word in ("", ")", ALL, ANY):
            raise _bad(self.text, self.roles)
        if word not in self.roles:
            raise NoSuchRole(role=word, roles=", ".join(self.roles))
        return word


def _bad(text: str, roles: Collection[str]) -> BadMix:
    first, *others = [*roles, *roles][:3] or ["role"]
    return BadMix(text=text, example=f"{first} and ({' or '.join(others or [first])})")
