"""Words that give away which aspect of an entity a sentence speaks of.

The lists are general English (with a few German, French and Spanish stems), not the vocabulary of
any one conference. A text without a single cue, or in another language, is still divided: by
position, for openings tend to state the problem and endings what one takes away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ingest.sentences import Sentence

__all__ = ["EXHIBITOR_CUES", "SESSION_CUES", "SPEAKER_CUES", "Cue"]

_POSITION_WEIGHT = 0.5
"""A place in the text counts half a cue word: it decides between equals and overrules nothing."""

_TAKEN_WEIGHT = 0.25
"""A sentence that another facet has already counts a quarter cue word less: facets differ where they can."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One aspect's words, and where in a text it usually stands."""

    words: re.Pattern[str]
    place: Literal["opening", "ending", "anywhere"] = "anywhere"

    def pick(self, sentences: Sequence[Sentence], count: int, *, taken: Collection[Sentence] = ()) -> list[Sentence]:
        """The ``count`` sentences that speak most of this aspect, in the text's order."""
        best = sorted(range(len(sentences)), key=lambda at: (-self._score(sentences, at, taken), at))[:count]
        return [sentences[at] for at in sorted(best)]

    def _score(self, sentences: Sequence[Sentence], at: int, taken: Collection[Sentence]) -> float:
        sentence = sentences[at]
        hits = len({hit.lower() for hit in self.words.findall(sentence.with_lead)})
        progress = at / len(sentences)
        place = {"opening": 1 - progress, "ending": progress, "anywhere": 0.0}[self.place]
        asks = self.place == "opening" and sentence.text.endswith("?")
        return hits + asks + _POSITION_WEIGHT * place - _TAKEN_WEIGHT * (sentence in taken)


def _cue(words: str, place: Literal["opening", "ending", "anywhere"] = "anywhere") -> Cue:
    return Cue(re.compile(rf"\b(?:{'|'.join(words.split())})", re.IGNORECASE), place)


SESSION_CUES = {
    "what_you_will_learn": _cue(
        r"learn takeaways? take\saway how\sto you\swill you['\u2019]ll we\swill we['\u2019]ll i\swill i['\u2019]ll "
        r"explor explain introduc demonstrat show cover discuss understand dive delve walk present look\sat "
        r"lernen zeigen erkl\u00e4r apprendre d\u00e9couvr aprender veremos mostra"
    ),
    "problems_addressed": _cue(
        r"problem challeng difficult hard slow pain fail issue error bug struggl bottleneck avoid lack risk complex "
        r"mistake pitfall however unfortunately without instead limit confus tedious messy overwhelm stress vulnerab "
        r"threat expensive cost burden why need solve solution "
        r"schwierig fehler langsam probl\u00e8m erreur dif\u00edcil",
        "opening",
    ),
    "who_should_attend": _cue(
        r"beginner newcomer novice advanced intermediate audience attendee aimed aim\sat intended suitable if\syou "
        r"familiar prerequisite require prior previous\sknowledge experience anyone everyone developers engineers "
        r"scientists researchers students teachers teams practitioners enthusiasts maintainers welcome whether\syou "
        r"for\sthose for\speople f\u00fcr einsteiger d\u00e9butant principiante"
    ),
    "why_attend": _cue(
        r"benefit better improv faster save productiv discover valuable insight fun practical real.world hands.on "
        r"best\spractice powerful efficien eas(?:y|ier) simpl confiden inspir join ready leave "
        r"by\sthe\send at\sthe\send tips lessons",
        "ending",
    ),
}

EXHIBITOR_CUES = {
    "what_we_sell": _cue(
        r"platform product offer provid service software solution sdk tool build develop api engine cloud application "
        r"system deliver creat market database plattform",
        "opening",
    ),
    "problems_we_solve": _cue(
        r"reduc without combat problem challeng automat simplif avoid faster cost secur protect risk improv optimi "
        r"eliminat streamlin accelerat efficien scal reliab monitor debug prevent complex solve fix save eas(?:y|ier) "
        r"better drive"
    ),
    "who_we_help": _cue(
        r"team customer business developer enterpris organi[sz]ation compan client user people help enabl empower "
        r"government startup engineers scientists partners students members communit trusted\sby"
    ),
    "our_expertise": _cue(
        r"expert engineer technolog since founded research lead open.source years pioneer speciali[sz] experience "
        r"team\sof award scientist machine\slearning data patent stack built"
    ),
    "industries_we_serve": _cue(
        r"industr financ bank trading health medic energy electric retail e-commerce logistic automotive manufactur "
        r"travel media telecom public\ssector government educat insur market gam(?:e|ing) agricult pharma aerospace "
        r"sector hospitality climate sustainab"
    ),
    "why_visit_us": _cue(
        r"visit meet booth stand join hiring hire career job opportunit work\swith\sus come talk\sto mission passion "
        r"culture looking\sfor grow free try start vision",
        "ending",
    ),
}

SPEAKER_CUES = {
    "expertise": _cue(
        r"expert speciali[sz] focus experience passion interest skill work(?:s|ing)?\s(?:on|with) develop build design "
        r"research knowledge machine\slearning data software security cloud web love author maintain creator"
    ),
    "background_and_role": _cue(
        r"engineer developer scientist manager lead head\sof founder cto ceo professor lecturer phd degree universit "
        r"studied student career years worked currently role senior director consultant freelanc company background "
        r"graduat teacher"
    ),
    "industries_and_communities": _cue(
        r"communit organi[sz] pyladies volunteer open.source core\sdev contribut meet-?up user\sgroup conference "
        r"foundation board member mentor industr financ bank health medic energy retail automotive educat game science "
        r"climate startup fellow podcast"
    ),
    "why_meet_them": _cue(
        r"author creator maintain core book blog podcast award talk speak teach shar help love enjoy free\stime hobby "
        r"passion when\snot outside known"
    ),
}
