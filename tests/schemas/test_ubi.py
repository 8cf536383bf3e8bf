"""UBI records and our messages, one for the other: nothing is lost either way."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decisions import Decision
from schemas.errors import InvalidMessage
from schemas.events import Action, Impression, Query, Result, Source
from schemas.ubi import action_of, impression_of, millis, ubi_event, ubi_query

QUERY = {
    "application": "shop", "query_id": "q-1", "client_id": "ann", "user_query": "jazz", "timestamp": "2025-01-31T12:00:00.250Z",
    "query_response_id": "r-1", "query_response_hit_ids": ["b", "a"], "object_id_field": "sku", "query_attributes": {"experiment": "x"},
}  # fmt: skip
EVENT = {
    "application": "shop", "action_name": "add_to_cart", "query_id": "q-1", "session_id": "s", "client_id": "ann", "user_id": "",
    "timestamp": "2025-01-31T12:00:09.000Z", "message_type": "CONVERSION", "message": None,
    "event_attributes": {
        "object": {"object_id": 17, "object_id_type": "product", "object_id_field": "sku", "internal_id": 4, "description": "a / b ~ c"},
        "position": {"ordinal": 3, "xy": {"x": 1.5, "y": -2}, "trail": ["/a", "/b"]},
        "price": 9.5, "data": {"nested": [1, {"deep": None}]},
    },
}  # fmt: skip


def test_query_by_hand():
    page = impression_of(QUERY)
    assert (page.search_id, page.application, page.client_id, page.query.text) == ("q-1", "shop", "ann", "jazz")
    assert page.ts == 1_738_324_800_250
    assert [(one.entity_id, one.position) for one in page.results] == [("b", 1), ("a", 2)]
    assert page.attributes == {"experiment": "x", "/query_response_id": "r-1", "/object_id_field": "sku"}
    assert ubi_query(page) == QUERY


def test_event_by_hand():
    action = action_of(EVENT)
    assert (action.search_id, action.kind, action.entity_id, action.position, action.session_id) == ("q-1", "add_to_cart", "17", 3, "s")
    assert action.attributes["price"] == 9.5
    assert action.attributes["/event_attributes/object/object_id"] == 17
    assert action.attributes["/event_attributes/object/description"] == "a / b ~ c"
    assert json.loads(action.attributes["0:/event_attributes/data"]) == {"nested": [1, {"deep": None}]}
    assert ubi_event(action) == EVENT
    assert action_of(EVENT) == action
    assert action_of(EVENT | {"user_id": "u"}).action_id != action.action_id


@pytest.mark.parametrize(
    ("name", "kind"),
    [("impression", "viewed"), ("click_through", "click"), ("watch", "play"), ("purchase", "purchase"), ("page_exit", "other")],
)
def test_names_of_actions(name, kind):
    event = EVENT | {"action_name": name}
    action = action_of(event)
    assert (action.kind, action.name) == (kind, name if kind == "other" else None)
    assert ubi_event(action) == event


def test_an_event_on_no_object_is_kept_as_other():
    event = {"action_name": "click", "query_id": "q", "timestamp": "2025-01-31T12:00:09Z"}
    action = action_of(event)
    assert (action.kind, action.name, action.entity_id) == ("other", "click", None)
    assert ubi_event(action) == event  # the time in its own notation


@pytest.mark.parametrize("ordinal", [0, -1, 2.5, "3", None, 10**9])
def test_ordinals_that_are_no_rank_travel_beside(ordinal):
    event = EVENT | {"event_attributes": {"object": {"object_id": "e"}, "position": {"ordinal": ordinal}}}
    action = action_of(event)
    assert action.position is None
    assert ubi_event(action) == event


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2018-11-13T20:20:39+00:00", 1_542_140_439_000), ("2018-11-13T20:20:39Z", 1_542_140_439_000), (7, 7),
        ("2018-11-13T20:20:39", 1_542_140_439_000), ("2018-11-13T22:20:39.5+0200", 1_542_140_439_500),
    ],
)  # fmt: skip
def test_times(text, found):
    assert millis(text) == found
    assert ubi_query(impression_of(QUERY | {"timestamp": text}))["timestamp"] == text


def test_long_and_repeated_things_are_not_cut():
    query = QUERY | {"user_query": "word " * 300, "query_response_hit_ids": [f"e{number % 150}" for number in range(200)]}
    page = impression_of(query)
    assert len(page.query.text) == 512
    assert len(page.results) == 100
    assert ubi_query(page) == query


@pytest.mark.parametrize(
    ("read", "record", "says"),
    [
        (impression_of, QUERY | {"timestamp": "noon"}, "'noon' is not ISO 8601"),
        (impression_of, {"query_id": "q"}, "user_query: is missing or null; send it; timestamp: is missing"),
        (action_of, EVENT | {"query_id": None}, "query_id: is missing or null; send it"),
        (action_of, EVENT | {"event_attributes": {"object": {"object_id": "x" * 300}}}, "entity_id"),
        (action_of, EVENT | {"event_attributes": {str(number): number for number in range(65)}}, "attributes"),
    ],
)
def test_what_has_no_room_is_refused(read, record, says):
    with pytest.raises(InvalidMessage, match=says):
        read(record)


@pytest.mark.parametrize("query", [5, "abc", None, [1]])
def test_what_stands_under_our_name_and_is_not_ours_is_refused(query):
    with pytest.raises(InvalidMessage, match="query"):
        impression_of(QUERY | {"query_attributes": {"forage": {"query": query}}})


def test_what_ubi_has_no_field_for_goes_there_and_back():
    page = Impression(
        search_id="s", page=2, ts=5, client_id="c", session_id="z", segment="kids", query=Query(text="jazz", key="jazz", locale="en"),
        decision=Decision(decision_id="d", content_id="c", seq=1, available=["lexical"], arms=[], rank_version="r"),
        results=[Result(entity_id="e", position=11, score=0.5, sources=[Source(strategy="lexical", rank=1, score=3.0)], features=[1, -2])],
        attributes={"experiment": "x"},
    )  # fmt: skip
    assert impression_of(json.loads(json.dumps(ubi_query(page)))) == page
    assert ubi_query(page)["query_attributes"]["forage"]["page"] == 2
    action = Action(action_id="mine", search_id="s", ts=9, kind="dwell_10s", entity_id="e", position=11, attributes={"value": 2})
    assert action_of(json.loads(json.dumps(ubi_event(action)))) == action


NAMES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    extras=st.dictionaries(NAMES, VALUES, max_size=4), about=st.dictionaries(NAMES, VALUES, max_size=3),
    top=st.dictionaries(NAMES.filter(lambda name: name not in EVENT), VALUES, max_size=3),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_any_extras_come_back(extras, about, top):
    event = EVENT | top | {"event_attributes": {name: value for name, value in extras.items() if name != "forage"}}
    event["event_attributes"] |= {"object": about | {"object_id": "e"}, "position": {"ordinal": 1}}
    assert ubi_event(action_of(event)) == event
    query = QUERY | {name: value for name, value in top.items() if name not in QUERY}
    query["query_attributes"] = {name: value for name, value in extras.items() if name != "forage"}
    assert ubi_query(impression_of(query)) == query


@pytest.mark.data
def test_the_real_sample_comes_back(real_data):
    def lines(name):
        with gzip.open(real_data("ubi_sample") / f"{name}.json.gz") as packed:
            return [json.loads(line) for line in packed]

    assert all(ubi_query(impression_of(query)) == query for query in lines("ubi_queries"))
    events = [event for event in lines("ubi_events") if event["query_id"] is not None]
    assert len(events) == 3_561
    assert all(ubi_event(action_of(event)) == event for event in events)
