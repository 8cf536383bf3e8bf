"""A shop with a search engine of its own, and what it takes to add Forage to it: `python own_engine.py observe|shadow|live URL`.

Made-up people search and click; at the end it says at which place, on average, they found what they wanted.
"""

import csv
import random
import sys
from pathlib import Path
from uuid import uuid4

from serving.client.python import ForageClient

GAMES = {row["sku"]: row for row in csv.DictReader(Path(__file__).with_name("games.csv").open(encoding="utf-8"))}
WANTED = {"chess": "G029", "light": "G011", "dragon": "G021", "railway": "G015", "honey": "G013", "trade": "G004"}


# -- the engine that was there before: two strategies, and a fixed way to mix them


def titles(query, depth):
    """The word in the title, best-sellers first."""
    found = [(sku, float(game["sold"])) for sku, game in GAMES.items() if query in game["name"].casefold()]
    return sorted(found, key=lambda pair: -pair[1])[:depth]


def abouts(query, depth):
    """The word in the description, best-sellers first."""
    found = [(sku, float(game["sold"])) for sku, game in GAMES.items() if query in game["about"].casefold()]
    return sorted(found, key=lambda pair: -pair[1])[:depth]


STRATEGIES = {"titles": titles, "abouts": abouts}


def own_page(query):
    """What is in a title first, then what is in a description."""
    return list(dict.fromkeys(sku for strategy in STRATEGIES.values() for sku, _ in strategy(query, 10)))[:10]


# -- the three ways to have Forage beside it


def observe(forage, person, query):
    """The old page is shown, and Forage is told what was shown: it learns what people choose."""
    page = own_page(query)
    search_id = uuid4().hex
    results = [{"entity_id": sku, "position": position} for position, sku in enumerate(page, 1)]
    forage.impression({"search_id": search_id, "client_id": person, "query": {"text": query}, "results": results})
    return page, page, lambda sku: forage.action({"search_id": search_id, "kind": "click", "entity_id": sku})


def shadow(forage, person, query):
    """The same, and Forage says what it would have done; nobody sees that yet."""
    page, _, click = observe(forage, person, query)
    decided = forage.decide(query, client_id=person, available=[*STRATEGIES])
    return page, [hit.entity_id for hit in ranked(forage, person, query, decided).results], click


def live(forage, person, query):
    """Forage decides which strategies to ask and orders what they found."""
    decided = forage.decide(query, client_id=person, available=[*STRATEGIES])
    page = ranked(forage, person, query, decided, record=True)
    shown = [hit.entity_id for hit in page.results]
    return shown, shown, lambda sku: forage.record(page, "click", sku)


def ranked(forage, person, query, decided, **more):
    decision = decided["decision"]
    asked = [arm for arm in decision["arms"] if arm["asked"]] + decision["always"]  # an experiment's fixed mix always asks all
    lists = {one["name"]: STRATEGIES[one["name"]](query, one["depth"]) for one in asked}
    return forage.rank(query, decided, lists, client_id=person, **more)


def main(mode, url, people=60):
    seen, said, draw = [], [], random.Random(mode)
    with ForageClient(url) as forage:
        for number in range(people):
            query = draw.choice(sorted(WANTED))
            shown, judged, click = {"observe": observe, "shadow": shadow, "live": live}[mode](forage, f"{mode}-{number}", query)
            if WANTED[query] in shown:
                click(WANTED[query])
            for places, page in ((seen, shown), (said, judged)):
                places.append(page.index(WANTED[query]) + 1 if WANTED[query] in page else 10)
    would = f"; Forage would have put it at {sum(said) / people:.1f}" if mode == "shadow" else ""
    print(f"{mode}: what {people} people wanted stood at place {sum(seen) / people:.1f}{would}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(__doc__)
