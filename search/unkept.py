"""Facts that no session, speaker or exhibitor row has, told by the way they are asked for.

The search finds whoever the question is about, with all the right words; only the fact is missing: a
price, a telephone number, last year's ratings. The fields of the collections are fixed, so what they
can't hold can be listed. Only forms of asking are listed, not subjects: "a talk about password storage"
asks for none of these.
"""

from __future__ import annotations

import re

__all__ = ["unkept_fact"]

_PERSONAL = r"(?:mobile|phone|telephone|cell(?:\s?phone)?)\s(?:number|no\.)|(?:e-?mail|home|postal)\saddress"

_NAMED_ALONE = r"(?=\s*(?:[.?!,;:]|$)|\s(?:of|for|to|from|please|by|and|or)\b)"
"""What follows who asks for the thing itself: "email address validation" is a subject."""

_FORMS = {
    "a price": r"""\bhow\smuch\b[^.?!]*\b(?:cost|costs|pay|charges?|price)\b
        | \bhow\smuch\s(?:is|are)\s(?:a|an|the|one)\s\w+(?:\s\w+)?\s*\?
        | \bwhat\s(?:do|does|will|would)\b[^.?!]*\bcost\b
        | \b(?:wie\steuer|was\skoste[tn]|wie\sviel\skoste[tn]|combien\sco[u\xfb]te(?:nt)?|quel\sest\sle\sprix
            |cu[a\xe1]nto\scuestan?|qu[e\xe9]\sprecio)\b""",
    "a private detail": rf"""\b(?:what|which|give|send|tell|know|have|need|find|get)\b[^.?!]*
            \b(?:{_PERSONAL}){_NAMED_ALONE}
        | \b\w+['\u2019]s?\s(?:{_PERSONAL}|e-?mail|salary|birthday|age)\b
        | \bhow\sold\sis\b | \bhow\smuch\s(?:does|do)\b[^.?!]*\bearn\b
        | \b(?:handynummer|telefonnummer|mailadresse|num[e\xe9]ro\sde\st[e\xe9]l[e\xe9]phone
            |adresse\se-?mail|n[u\xfa]mero\sde\s(?:tel[e\xe9]fono|m[o\xf3]vil))\b""",
    "a password": r"""\b(?:wi-?fi|wlan|wireless|network|internet)\s(?:password|passwort|code|key)\b
        | \bpassword\s(?:for|of|to)\s(?:the\s)?(?:wi-?fi|wlan|wireless|network|internet)\b""",
    "a rating": r"""\b(?:best|highest|top|worst|lowest)[\s-](?:rated|voted|reviewed|rating)\b
        | \b(?:audience|attendee|visitor)s?\s(?:rating|score|vote|feedback)s?\b
        | \b(?:got|received|won|had|get)\sthe\s(?:best|most|highest|worst)\b[^.?!]*
            \b(?:rating|score|vote|review|like)s?\b
        | \bhow\smany\s(?:stars|votes|people\s(?:came|attended|watched))\b""",
    "another year": r"""\b(?:last|next|previous)\s(?:year|edition)['\u2019]s\s
            (?:conference|talks?|keynotes?|sessions?|programme|program|speakers?|exhibitors?|edition)\b
        | \b(?:conference|talk|keynote|session|workshop|speaker|exhibitor)s?\b[^.?!]*
            \b(?:last|next)\s(?:year|edition)\s*[.?!]*$""",
    "a piece of work": r"""^\W*(?:(?:can|could|would|will)\syou\s)?(?:please\s)?
        (?:write|draft|compose|translate|proofread|book|order|buy)\s(?:me|my|us|our|a|an|the|this)\b
        (?!\s(?:(?:a|an|the)\s)?(?:list|overview|summary|schedule|plan|agenda)\b)""",
}

_ASKED = {kind: re.compile(form, re.IGNORECASE | re.VERBOSE) for kind, form in _FORMS.items()}

_MAX_CHARS = 500
"""Longer questions are read so far: the forms look ahead to a sentence's end."""


def unkept_fact(question: str) -> str | None:
    """The kind of fact that is asked for and that no row has; None as a rule."""
    text = question[:_MAX_CHARS]
    return next((kind for kind, form in _ASKED.items() if form.search(text)), None)
