"""Strict shapes of the files that other programs read, no more of them than is used here: a misspelt or unknown field is an error."""

from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

Duration = Annotated[str, Field(pattern=r"^\d+(ms|s|m|h|d)$")]
Loopback = Annotated[str, Field(pattern=r"^127\.0\.0\.1:(\d+|\$\{FORAGE_KAFKA_PORT:-\d+\}):\d+$")]
Image = Annotated[str, Field(pattern=r"^[a-z./-]+:[\w.-]+$")]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Healthcheck(Shape):
    test: list[str] | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    retries: int | None = None
    disable: bool = False


class Need(Shape):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Logging(Shape):
    driver: Literal["json-file"]
    options: dict[str, str]


class Service(Shape):
    image: Image
    build: str | None = None
    command: list[str] | None = None
    restart: Literal["no", "unless-stopped"] = "no"
    ports: list[Loopback] = []
    volumes: list[str] = []
    environment: dict[str, str] = {}
    secrets: list[str] = []
    depends_on: dict[str, Need] = {}
    healthcheck: Healthcheck | None = None
    logging: Logging
    stop_grace_period: Duration | None = None
    init: bool = False
    read_only: bool = False
    tmpfs: list[str] = []
    cap_drop: list[Literal["ALL"]] = []
    security_opt: list[Literal["no-new-privileges:true"]] = []


class Secret(Shape):
    file: str


class Compose(Shape):
    """docker-compose.yml without its x- parts, which are only there to be repeated."""

    name: str
    services: dict[str, Service]
    secrets: dict[str, Secret]
    volumes: dict[str, None]


class Targets(Shape):
    targets: list[Annotated[str, Field(pattern=r"^[\w-]+:\d+$")]]
    labels: dict[str, str] = {}


class Job(Shape):
    job_name: str
    static_configs: list[Targets]


class Prometheus(Shape):
    class Global(Shape):
        scrape_interval: Duration
        evaluation_interval: Duration

    global_: Annotated[Global, Field(alias="global")]
    rule_files: list[str]
    scrape_configs: list[Job]


class Annotations(Shape):
    summary: str
    description: str
    runbook: str


class Alert(Shape):
    class Labels(Shape):
        severity: Literal["critical", "warning"]

    alert: Annotated[str, Field(pattern=r"^Forage[A-Z]\w+$")]
    expr: str
    for_: Annotated[Duration, Field(alias="for")] = "0s"
    labels: Labels
    annotations: Annotations


class Group(Shape):
    name: str
    rules: list[Alert]


class Alerts(Shape):
    groups: list[Group]


class Datasource(Shape):
    uid: Literal["forage"]
    type: Literal["prometheus"]


class Target(Shape):
    refId: Annotated[str, Field(pattern=r"^[A-Z]$")]  # noqa: N815
    datasource: Datasource
    expr: str
    legendFormat: str  # noqa: N815


class Panel(Shape):
    class Place(Shape):
        x: Annotated[int, Field(ge=0, le=23)]
        y: Annotated[int, Field(ge=0)]
        w: Annotated[int, Field(ge=1, le=24)]
        h: Annotated[int, Field(ge=1)]

    id: int
    type: Literal["row", "stat", "timeseries"]
    title: Annotated[str, Field(min_length=5)]
    description: str = ""
    gridPos: Place  # noqa: N815
    datasource: Datasource | None = None
    targets: list[Target] = []
    fieldConfig: dict[str, Any] = {}  # noqa: N815
    options: dict[str, Any] = {}
    collapsed: bool = False
    panels: list[Any] = []


class Dashboard(Shape):
    uid: str
    title: str
    description: str
    tags: list[str]
    timezone: Literal["utc"]
    schemaVersion: int  # noqa: N815
    version: int
    refresh: Duration
    editable: Literal[False]
    time: dict[Literal["from", "to"], str]
    panels: list[Panel]


class _NoDoubles(yaml.SafeLoader):
    """YAML takes a key that stands twice, and forgets the first one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        if len(set(keys)) != len(keys):
            raise ValueError(f"a key stands twice at {node.start_mark}")
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """YAML as data; keys that stand twice are refused."""
    return yaml.load(text, _NoDoubles)
