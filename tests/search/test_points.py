"""Point ids, payloads and names: what other systems rely on."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid5

from search.collection_names import ALL_NAMES, built_name, new_build_id, of_name, stamp_of
from search.entity import IndexedEntity
from search.facets import FACET_KEYS
from search.points import point_id, point_payload, texts_by_key, title_of
from search.query import EntityType

ID = "4214dd65-9dec-5d58-8c51-7d1dfcf01992"


def test_point_ids_are_uuid5_of_entity_and_key() -> None:
    """To the letter for UUIDs; an id of another kind has one that never changes, and no other's."""
    assert point_id(ID, "why_attend") == str(uuid5(UUID(ID), "why_attend"))
    assert point_id(ID, "master") == str(uuid5(UUID(ID), "master"))
    assert point_id("17", "master") == point_id("17", "master") != point_id("18", "master")


def test_the_facets_are_those_of_the_product() -> None:
    """Six for exhibitors and sessions, five for speakers."""
    assert {kind.value: len(keys) for kind, keys in FACET_KEYS.items()} == {
        "exhibitors": 6,
        "sessions": 6,
        "speakers": 5,
    }


def test_a_payload_has_the_contracts_fields() -> None:
    """conference, entity, type, facet key (facets only), text and its sha256, and the title or name."""
    session = IndexedEntity(ID, EntityType.SESSIONS, "c", "Talk", {"master": "m"}, {"room": "A"})
    assert point_payload(session, "master", "m") == {
        "conference_id": "c",
        "entity_id": ID,
        "entity_type": "sessions",
        "title": "Talk",
        "room": "A",
        "text": "m",
        "text_hash": hashlib.sha256(b"m").hexdigest(),
    }
    assert point_payload(session, "why_attend", "w")["facet_key"] == "why_attend"


def test_a_speakers_title_is_his_position_and_his_name_his_name() -> None:
    """What a speaker is called does not overwrite what he does."""
    speaker = IndexedEntity(ID, EntityType.SPEAKERS, "c", "Ada", {"master": "m"}, {"title": "Engineer"})
    payload = point_payload(speaker, "master", "m")
    assert (payload["name"], payload["title"], title_of(payload)) == ("Ada", "Engineer", "Ada")


def test_descriptions_are_cut_and_blank_texts_left_out() -> None:
    """A payload quotes at most 1,500 characters; a point needs a text."""
    long = IndexedEntity(
        ID, EntityType.SESSIONS, "c", "T", {"master": "m", "why_attend": "  "}, {"description": "d " * 5000}
    )
    assert len(point_payload(long, "master", "m")["description"]) <= 1500
    assert texts_by_key(long) == {"master": "m"}


def test_the_six_names_and_what_stands_behind_them() -> None:
    """A collection's name says for which alias, with which embedder and by which build it was filled."""
    assert sorted(ALL_NAMES) == [
        "exhibitors_facets",
        "exhibitors_master",
        "sessions_facets",
        "sessions_master",
        "speakers_facets",
        "speakers_master",
    ]
    name = built_name("sessions_master", "local-wordllama-256", new_build_id())
    assert stamp_of(name) == "local-wordllama-256"
    assert of_name([name, "sessions_master", "sessions_facets__x__y"], "sessions_master") == [name]
    assert stamp_of("sessions_master") is None
