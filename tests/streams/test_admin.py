"""What check_topics finds wrong, on descriptions written by hand."""

import dataclasses

import pytest

from schemas.errors import Unavailable
from schemas.topics import TOPICS, settings
from streams.admin import TopicState, check_topics, problems


def good(time="LogAppendTime"):
    return {topic.name: TopicState(topic.name, "id", 4 if topic.co_partitioned else 1, settings(topic, time)) for topic in TOPICS}


def with_config(name, key, value):
    states = good()
    states[name] = dataclasses.replace(states[name], config={**states[name].config, key: value})
    return list(states.values())


@pytest.mark.parametrize("time", ["LogAppendTime", "CreateTime"])
def test_topics_with_our_own_settings_are_fine(time):
    assert problems(list(good(time).values())) == []


@pytest.mark.parametrize(
    ("name", "key", "value", "expected"),
    [
        ("search.actions", "retention.ms", "3600000", "at least 172800000"),
        ("search.outcomes", "retention.ms", "1000", "at least 172800000"),
        ("search.actions", "retention.bytes", "1000000", "set it to -1"),
        ("search.actions", "compression.type", "zstd", "must be gzip"),
        ("search.impressions", "max.message.bytes", "500000", "need 1048576"),
        ("memory.q2e", "cleanup.policy", "delete", "must be compact"),
        ("state.shares", "cleanup.policy", "compact,delete", "must be compact"),
        ("search.impressions", "cleanup.policy", "compact", "must be delete"),
        ("control", "retention.ms", "604800000", "must be -1"),
    ],
)
def test_one_wrong_setting_gives_one_line_that_names_topic_setting_and_remedy(name, key, value, expected):
    (line,) = problems(with_config(name, key, value))
    assert line.startswith(f"{name}: {key} is {value}")
    assert expected in line


def test_longer_and_endless_retention_are_fine():
    assert problems(with_config("search.actions", "retention.ms", "-1")) == []
    assert problems(with_config("search.actions", "retention.ms", "172800000")) == []


def test_inputs_of_different_timestamp_types_are_found():
    lines = problems(with_config("search.actions", "message.timestamp.type", "CreateTime"))
    assert lines[0].startswith("timestamp types differ (search.impressions LogAppendTime, search.actions CreateTime)")
    assert lines[1].startswith("search.actions: retention.ms is 604800000 with CreateTime")


def test_partition_counts_and_missing_topics():
    states = good()
    states["memory.q2e"] = dataclasses.replace(states["memory.q2e"], partitions=8)
    states["policy.snapshots"] = dataclasses.replace(states["policy.snapshots"], partitions=2)
    del states["privacy.erasures"]
    missing, counts, single = problems(list(states.values()))
    assert missing == "privacy.erasures: is missing; run `forage topics create`"
    assert counts.startswith("partition counts differ (search.impressions 4, search.actions 4, state.shares 4, memory.q2e 8")
    assert single.startswith("policy.snapshots: has 2 partitions, must have 1")


def test_no_broker_is_said_with_the_address():
    with pytest.raises(Unavailable, match=r"broker 127\.0\.0\.1:1.*is it running"):
        check_topics("127.0.0.1:1")


def test_hidden_settings_are_said_once_and_not_taken_for_wrong_ones():
    states = good()
    states["control"] = dataclasses.replace(states["control"], config={})
    assert problems(list(states.values())) == [
        "control: this user may not see its settings; `forage topics acls` prints what each role needs"
    ]
