"""Which clicks are thanks to a try: worked by hand."""

from evaluation.demo_tried import Tried, how_tried
from schemas.decisions import Arm, Decision
from schemas.entities import Entity
from schemas.events import Placement, Result, Source

CHANCE = {"lexical": 0.9, "popular": 0.1, "fresh": 0.2}


def result(entity, *strategies, mode="score"):
    sources = [Source(strategy=name, rank=1, score=1.0) for name in strategies]
    return Result(entity_id=entity, position=1, sources=sources, placement=Placement(mode=mode, p=0.5))


def decision():
    arms = [Arm(name=name, asked=True, propensity=p) for name, p in CHANCE.items()]
    return Decision(decision_id="d", content_id="c", seq=1, available=list(CHANCE), arms=arms)


def test_how_a_result_was_tried():
    assert how_tried(result("a", "lexical", "popular"), CHANCE, by_score="a") == ""
    assert how_tried(result("a", "popular", "fresh"), CHANCE, by_score="a") == "Most chosen, asked against the odds"
    assert how_tried(result("a", "always_on"), CHANCE, by_score="a") == ""
    assert how_tried(result("a", "lexical", mode="slot"), CHANCE, by_score="b") == "a test place"
    assert how_tried(result("a", "lexical"), CHANCE, by_score="b") == "a drawn score"
    assert how_tried(result("a", "lexical", mode="swap"), CHANCE, by_score="a") == ""  # it was on the page anyway
    assert how_tried(result("a"), CHANCE, by_score="a") == ""


def test_a_pair_is_known_by_trying_when_no_page_had_shown_it_otherwise():
    tried = Tried()
    tried.shown(
        "q",
        [result("plain", "lexical"), result("slot", "lexical", mode="slot"), result("odd", "popular")],
        decision(),
        by_score=["plain", "odd"],
    )
    assert [tried.clicked("q", entity) for entity in ("plain", "slot")] == [False, True]
    tried.shown(
        "q", [result("slot", "lexical"), result("odd", "lexical")], decision(), by_score=["slot", "odd"]
    )  # now they stand there by score
    assert [tried.clicked("q", entity) for entity in ("slot", "odd")] == [True, False]
    tried.shown("other", [result("slot", "lexical")], decision(), by_score=["slot"])
    assert not tried.clicked("other", "slot")  # another query is another pair
    told = tried.told({"slot": Entity(entity_id="slot", title="Slot", entity_type="song")})
    assert (told["pairs"], told["known"]) == (4, 1)
    assert told["examples"] == [{"query": "q", "title": "Slot", "type": "song", "how": "a test place", "clicks": 2}]
