"""docker-compose.yml, Dockerfile and .dockerignore, checked without Docker: what they name exists, and what they promise they keep."""

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer

from ops import cli, settings
from tests.deployment.shapes import Compose, load_yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
PLAIN = load_yaml((ROOT / "docker-compose.yml").read_text())
COMPOSE = Compose.model_validate({name: part for name, part in PLAIN.items() if not name.startswith("x-")})
OURS = {name: one for name, one in COMPOSE.services.items() if one.build}
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}


def instructions(name):
    return re.findall(rf"^\s*{name} (.+)$", DOCKERFILE, re.MULTILINE)


def environment_of_the_image():
    return dict(pair.split("=", 1) for line in instructions("ENV") for pair in line.split())


def parse(words):
    """Parses as the command would, without running it; an unknown command or option raises."""
    command, words = typer.main.get_command(cli.app), list(words)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands"), f"{words} is no command"
    return command.make_context("forage", words)


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_option_exists(name):
    parse(OURS[name].command)


def test_a_wrong_option_would_be_seen():
    with pytest.raises(Exception, match="No such option: --rolle"):
        parse(["worker", "--rolle", "stream"])


def test_the_image_runs_a_command_that_exists_as_nobody_special():
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["forage"]
    parse(json.loads(instructions("CMD")[-1]))
    assert DOCKERFILE.index("\nUSER forage") < DOCKERFILE.index("\nENTRYPOINT")
    (install,) = re.findall(r'pip install .*"\.\[(\w+)\]"', DOCKERFILE)
    assert install in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_the_image_gets_all_packages_and_nothing_else():
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    assert copied - {"pyproject.toml", "README.md", "LICENSE"} == PACKAGES
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*", "everything is left out first"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def test_all_data_of_the_packages_is_in_the_image():
    """What is no Python file comes only if setuptools is told of it."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    of_the_host = {"docker", "dashboards"}  # read by other programs, mounted
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc") and not of_the_host & set(path.parts):
                assert any(fnmatch(path.name, pattern) for pattern in patterns), path


def test_one_port_of_metrics_everywhere():
    host, _, port = environment_of_the_image()["FORAGE_METRICS"].rpartition(":")
    assert host == "0.0.0.0"  # of the container
    assert instructions("EXPOSE") == [port]
    assert f"http://127.0.0.1:{port}/metrics" in DOCKERFILE
    assert not any(":" + port in published for one in COMPOSE.services.values() for published in one.ports)


@pytest.mark.parametrize("name", OURS)
def test_its_environment_is_one_that_the_commands_take(name, tmp_path):
    given = environment_of_the_image() | OURS[name].environment
    given = {key: value for key, value in given.items() if key.startswith("FORAGE_")}
    assert set(given) <= set(settings.VARIABLES)
    (tmp_path / "key").write_text("k")
    secret = OURS[name].secrets[0]
    assert given["FORAGE_CLIENT_KEY_FILE"] == f"/run/secrets/{secret}"
    read = settings.read(given | {"FORAGE_CLIENT_KEY_FILE": str(tmp_path / "key")})
    assert read.security == {}  # plain traffic inside is allowed
    inside = COMPOSE.services["kafka"].environment["KAFKA_ADVERTISED_LISTENERS"].split("INSIDE://")[1]
    assert read.bootstrap == inside


def test_what_is_mounted_exists_and_what_is_written_is_kept():
    used = set()
    for name, one in COMPOSE.services.items():
        for source, target, *mode in (volume.split(":") for volume in one.volumes):
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
                assert mode == ["ro"]
            else:
                used.add(source)
                assert target not in ("", "/")
    assert used == set(COMPOSE.volumes)
    written = {environment_of_the_image()["FORAGE_DATA_DIR"], PLAIN["x-forage"]["environment"]["FORAGE_STATE_STORE"]}
    (made,) = instructions("RUN")[-1:]
    assert all(folder in made for folder in written), "the image makes them, so that their volumes are the user's"
    for name in ("worker-1", "worker-2"):
        assert {volume.split(":")[1] for volume in OURS[name].volumes} == written


def test_workers_have_names_and_disks_of_their_own():
    named = {name: parse(one.command).params for name, one in OURS.items() if one.command[0] == "worker"}
    streams = [name for name, given in named.items() if given["role"] == "stream"]
    assert len(streams) == 2
    assert [named[name]["instance"] for name in streams] == streams
    disks = [volume for name in named for volume in OURS[name].volumes if not volume.startswith("checkpoints:")]
    assert len(set(disks)) == len(disks)
    assert [given["role"] for given in named.values()].count("publisher") == 1


def test_only_loopback_is_published_and_no_secret_stands_in_the_file():
    """The shape lets nothing but 127.0.0.1 pass."""
    assert {name for name, one in COMPOSE.services.items() if one.ports} == {"kafka", "prometheus", "grafana"}
    for one in COMPOSE.services.values():
        for variable, value in one.environment.items():
            secret = re.search(r"PASSWORD|SECRET|TOKEN|(?<!IS_)KEY", variable) and not variable.endswith("_FILE")
            assert not secret or variable == "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION", f"{variable}={value}"
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in COMPOSE.secrets.values():
        assert f"> {secret.file.removeprefix('./')}\n" in text, "the head of the file says how to make it"
    assert all(one.read_only and one.cap_drop and one.security_opt for one in OURS.values())


def test_services_wait_for_services_that_exist_and_can_be_waited_for():
    for name, one in COMPOSE.services.items():
        for other, need in one.depends_on.items():
            assert other in COMPOSE.services, name
            if need.condition == "service_healthy":
                assert COMPOSE.services[other].healthcheck
            if need.condition == "service_completed_successfully":
                assert COMPOSE.services[other].restart == "no"
    assert OURS["topics"].depends_on.keys() == {"kafka"}


def test_the_broker_alone_needs_nothing_else():
    """As ops/broker.py starts it: a variable that must be set, or a dependency, would break that."""
    assert COMPOSE.services["kafka"].depends_on == {}
    assert not re.search(r"\$\{\w+:?\?", (ROOT / "docker-compose.yml").read_text())
    assert '"up", "-d", "kafka"' in (ROOT / "ops" / "broker.py").read_text()
