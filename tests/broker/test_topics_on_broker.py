"""streams.admin against a real broker."""

import time

import pytest
from kafka import KafkaAdminClient

from schemas.errors import PartitionMismatch
from schemas.topics import TOPICS
from streams import admin


def test_topics_are_made_once_pass_their_own_check_and_get_a_new_id_when_made_again(fresh_topics):
    bootstrap = fresh_topics(3)
    assert admin.check_topics(bootstrap) == []
    assert admin.create_topics(bootstrap, 3) == []
    described = {state.name: state for state in admin.describe_topics(bootstrap)}
    assert {name: state.partitions for name, state in described.items()} == {t.name: 3 if t.co_partitioned else 1 for t in TOPICS}
    assert described["search.actions"].config["message.timestamp.type"] == "LogAppendTime"
    before = admin.topic_ids(bootstrap)
    assert admin.delete_topics(bootstrap, ["control"]) == ["control"]
    assert admin.check_topics(bootstrap) == ["control: is missing; run `forage topics create`"]
    assert admin.create_topics(bootstrap, 3) == ["control"]
    after = admin.topic_ids(bootstrap)
    assert {name for name in before if before[name] != after[name]} == {"control"}


def test_imported_logs_keep_their_times_and_are_never_deleted_by_age(fresh_topics):
    bootstrap = fresh_topics(1, time="CreateTime")
    assert admin.check_topics(bootstrap) == []
    (inputs,) = admin.describe_topics(bootstrap, ["search.impressions"])
    assert (inputs.config["message.timestamp.type"], inputs.config["retention.ms"]) == ("CreateTime", "-1")


def test_another_partition_count_is_refused_before_anything_is_made(fresh_topics):
    bootstrap = fresh_topics(2)
    admin.delete_topics(bootstrap, ["search.outcomes"])
    with pytest.raises(PartitionMismatch, match="has 2 partitions, not 4"):
        admin.create_topics(bootstrap, 4)
    assert admin.describe_topics(bootstrap, ["search.outcomes"]) == []


def test_partitions_added_behind_our_back_are_found(fresh_topics):
    bootstrap = fresh_topics(1)
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    client.create_partitions({"search.actions": 2})
    client.close()
    while admin.describe_topics(bootstrap, ["search.actions"])[0].partitions == 1:  # the order is carried out a moment later
        time.sleep(0.02)
    (line,) = admin.check_topics(bootstrap)
    assert line.startswith("partition counts differ (search.impressions 1, search.actions 2,")
