"""What memory adds to dense retrieval on queries that are new. Run: python -m benchmarks.recall DIR [--queries N] [--json]

DIR is a dataset folder with a click log or with judgments, see `evaluation/memory_recall.py`. Embeddings of its entities and queries are
kept in the data folder: the first run encodes them, 10 ms and more each, later ones read them.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from evaluation.click_log import searches
from evaluation.datasets.folder import CLICKS, JUDGMENTS, Dataset
from evaluation.judged_queries import RELEVANT, judged_queries
from evaluation.memory_recall import Past, on_clicks, on_judgments
from evaluation.recall_figures import recall_summary, recall_table
from ops import settings
from ops.progress import Progress
from retrievers.catalog import Catalog
from retrievers.dense import DenseRetriever
from retrievers.encoders import BATCH, CachedEncoder, load_encoder
from schemas.errors import ForageError, InvalidSetting, NotFound
from schemas.ids import query_key

BY_TIME = "click log, each search asked before its clicks are learned"
BY_FOLD = f"judged queries, each asked when those of other folds have been searched; relevant: gain of at least {RELEVANT:g}"


def encoder_of(config: settings.Settings) -> CachedEncoder:
    """The encoder of this installation. Raises NotFound where none is set."""
    if not config.encoder:
        raise NotFound(f"no encoder is set, dense retrieval needs one; set {settings.NAMES['encoder']} to a model's folder or package")
    return CachedEncoder(load_encoder(config.encoder), config.data / "embeddings")


def stored(texts: Iterable[str], encoder: CachedEncoder, told: Progress) -> None:
    """Encode what people search, and its keys, which neighbours compare."""
    wanted = sorted({one for text in texts for one in (" ".join(text.split()), query_key(text))})
    for first in range(0, len(wanted), BATCH):
        encoder.store_queries(wanted[first : first + BATCH])
        told("queries encoded", min(first + BATCH, len(wanted)), len(wanted))


def check(dataset: Dataset, *, queries: int) -> None:
    """Raises NotFound or InvalidSetting unless there is something to measure."""
    log = dataset.has(CLICKS)
    if not log and not dataset.has(JUDGMENTS):
        raise NotFound(f"{dataset.path} holds neither {CLICKS} nor {JUDGMENTS}; use a dataset that has one, see `forage data import`")
    if queries < 0 or (log and queries):
        rule = "is for judged queries, and this dataset holds clicks" if log else "must be 0 (all) or more"
        raise InvalidSetting(f"--queries {queries} {rule}; leave it out")


def run(dataset: Dataset, encoder: CachedEncoder, *, queries: int, told: Progress) -> dict[str, object]:
    """The figures of a dataset."""
    catalog = Catalog(dataset.entities())
    dense = DenseRetriever(encoder)
    dense.put(catalog.values(), progress=partial(told, "entities encoded"))
    past = partial(Past, catalog, encoder)
    if log := dataset.has(CLICKS):
        clicks = searches(dataset.clicks())
        stored((one.query for one in clicks), encoder, told)
        found = on_clicks(clicks, dense, past=past(), progress=partial(told, "searches"))
    else:
        judged = judged_queries(dataset.queries(), dataset.judgments(), most=queries)
        stored((one.text for one in judged), encoder, told)
        found = on_judgments(judged, dense, past=past, progress=partial(told, "queries"))
    shown = {"data": dataset.digest[:12], "encoder": encoder.model_id}
    return recall_summary(found, dataset.name, protocol=BY_TIME if log else BY_FOLD, settings=shown)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--queries", type=int, default=0, help="of judged ones: a sample of so many; 0: all")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    told = Progress(sys.stderr)
    try:
        dataset = Dataset(given.folder)
        check(dataset, queries=given.queries)
        figures = run(dataset, encoder_of(settings.current()), queries=given.queries, told=told)
    except ForageError as error:
        sys.exit(f"error: {error}")
    finally:
        told.close()
    print(json.dumps(figures, indent=2) if given.json else recall_table(figures), end="\n" if given.json else "")


if __name__ == "__main__":
    main()
