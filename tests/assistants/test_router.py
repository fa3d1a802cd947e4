"""The router on questions it has not seen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from assistants.conference.cues import CUES
from assistants.conference.intents import Intent, router_examples
from assistants.router import Route, SemanticRouter
from services.embeddings.local import LocalEmbedder
from services.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTIONS = Path(__file__).with_name("held_out_questions.txt")


def unseen() -> list[tuple[str, str]]:
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    return [(intent, question) for line in lines if not line.startswith("#") for intent, question in [line.split("\t")]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def router() -> SemanticRouter:
    router = SemanticRouter(LocalEmbedder(), router_examples(), CUES)
    await router.start()
    return router


async def test_most_unseen_questions_are_routed_right(router: SemanticRouter) -> None:
    """At least nine in ten; 94 % when this was written."""
    routed = [(intent, await router.route(question)) for intent, question in unseen()]
    assert sum(intent == route.intent for intent, route in routed) / len(routed) >= 0.9


async def test_what_is_sure_is_right(router: SemanticRouter) -> None:
    """At least 97 % of the sure ones, and sure of half: plain questions, plainly put."""
    routed = [(intent, await router.route(question)) for intent, question in unseen()]
    sure = [intent == route.intent for intent, route in routed if route.sure]
    assert sum(sure) / len(sure) >= 0.97
    assert len(sure) / len(routed) >= 0.5


async def test_no_held_out_question_is_an_example() -> None:
    """What is measured has not been learnt."""
    examples = {text.casefold().strip("!?. ") for texts in router_examples().values() for text in texts}
    assert [question for _, question in unseen() if question.casefold().strip("!?. ") in examples] == []


async def test_sample_questions(router: SemanticRouter) -> None:
    """The two questions everybody tries first are decided without a model."""
    talks = await router.route("Which talks are about testing?")
    help_wanted = await router.route("who can help me with scaling my database?")
    assert (talks.intent, talks.sure) == (Intent.SESSION_SEARCH, True)
    assert (help_wanted.intent, help_wanted.sure) == (Intent.RECOMMENDATION, True)


class OneWordEmbedder:
    """Knows "cat" and "dog"."""

    family = "unmeasured"
    identity = "one-word"
    dimensions = 2

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[1.0, 0.0] if "cat" in text else [0.0, 1.0] for text in texts]

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_any_embedder_and_any_intents_will_do() -> None:
    """The router knows no conference: another assistant's intents are learnt the same way."""
    router = SemanticRouter(OneWordEmbedder(), {"cats": ["a cat"], "dogs": ["a dog", "my dog"]}, [re.compile("meow")])
    await router.start()
    assert (await router.route("the cat")).intent == "cats"
    assert (await router.route("the dog")).intent == "dogs"
    assert sum((await router.route("?")).scores.values()) == pytest.approx(1.0)


async def test_an_intent_without_examples_stops_the_start() -> None:
    """It could never be chosen."""
    with pytest.raises(ConfigurationError, match="dogs"):
        await SemanticRouter(OneWordEmbedder(), {"cats": ["a cat"], "dogs": []}).start()


async def test_the_second_best_is_never_sure() -> None:
    """``without`` gives the likeliest of the others."""
    route = Route("a", 0.8, sure=True, scores={"a": 0.8, "b": 0.05, "c": 0.15})
    assert (route.without("a").intent, route.without("a").sure) == ("c", False)
