"""JSON Schema of every message, for producers in other languages: `forage data schema DIR` writes these files."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from schemas.base import VERSION
from schemas.entities import Entity
from schemas.erasures import Erased, Erasure
from schemas.events import Action, Impression, SuggestAccept, SuggestImpression, Tick
from schemas.outcomes import Amendment, Outcome, Quarantined
from schemas.rows import MemoryRow, TallyRow
from schemas.snapshots import Command, Manifest, Part

MESSAGES: dict[str, type[BaseModel]] = {
    "impression": Impression,
    "action": Action,
    "tick": Tick,
    "suggest_impression": SuggestImpression,
    "suggest_accept": SuggestAccept,
    "final": Outcome,
    "amendment": Amendment,
    "quarantined": Quarantined,
    "entity": Entity,
    "memory_row": MemoryRow,
    "tally_row": TallyRow,
    "part": Part,
    "manifest": Manifest,
    "command": Command,
    "erasure": Erasure,
    "erased": Erased,
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema (draft 2020-12) by name of the message. Rules over two fields, such as "an entity stands once a page", are not in it."""
    out = {}
    for name, model in MESSAGES.items():
        schema = model.model_json_schema()
        if "type" in schema["properties"]:  # it has a default in Python; on a topic it says what the message is
            schema["required"] = sorted({*schema.get("required", ()), "type"}, key=list(schema["properties"]).index)
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:forage:v{VERSION}:{name}"}
        out[name] = head | schema
    return out


def write(folder: Path) -> list[Path]:
    """One `NAME.schema.json` per message, the same bytes every time. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in json_schemas().items():
        files.append(folder / f"{name}.schema.json")
        files[-1].write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return files
