from __future__ import annotations

import pytest

from gateway.formats.topic_patterns import TopicPattern, filters_overlap


@pytest.mark.parametrize(
    ("topic", "camera", "topic_filter", "example", "name"),
    [
        ("yard/cam", "porch", "yard/cam", "yard/cam", "porch"),
        ("ha/sensor/{host}/still", "{host}", "ha/sensor/+/still", "ha/sensor/ESP_1/still", "ESP_1"),
        ("{site}/{host}/jpg", "{host}-{site}", "+/+/jpg", "home/door/jpg", "door-home"),
        ("cams/+/{host}", "esp_{host}", "cams/+/+", "cams/x/1", "esp_1"),
        ("cams/{host}", "{host}", "cams/+", "cams/", ""),
        ("cams/{host}", "{host}", "cams/+", "cams/front door", "front door"),
    ],
)
def test_pattern_names_the_camera(topic: str, camera: str, topic_filter: str, example: str, name: str) -> None:
    pattern = TopicPattern(topic, camera)
    assert pattern.topic_filter == topic_filter
    assert pattern.name_camera(example) == name


@pytest.mark.parametrize(
    ("topic", "camera", "message"),
    [
        ("cams/#", "a", "the level '#'"),
        ("cams/cam{host}/x", "{host}", "the level 'cam{host}'"),
        ("cams/a+", "a", r"the level 'a\+'"),
        ("cams/{Host}", "{Host}", "the level '{Host}'"),
        ("", "a", "1 to 256 characters"),
        ("x" * 257, "a", "1 to 256 characters"),
        ("$SYS/x", "a", "does not begin with"),
        ("{a}/{a}", "{a}", "two levels of the same name"),
        ("cams/{host}", "porch", "must repeat each named level"),
        ("cams/still", "{host}", "must repeat each named level"),
    ],
)
def test_wrong_pattern_is_refused_with_the_reason(topic: str, camera: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TopicPattern(topic, camera)


@pytest.mark.parametrize(
    ("topic", "camera", "name", "expected"),
    [
        ("yard/picture", "yard", "yard", "yard/picture"),
        ("yard/picture", "yard", "porch", None),
        ("cams/{host}/still", "{host}", "porch", "cams/porch/still"),
        ("cams/+/{host}", "esp_{host}", "esp_1", "cams/+/1"),
        ("cams/{host}", "esp_{host}", "porch", None),
        ("cams/{host}", "{host}_{host}", "a_a", "cams/a"),
        ("cams/{host}", "{host}_{host}", "a_b", None),
        ("{site}/{host}", "{site}-{host}", "north-porch", "+/+"),
        ("{site}/{host}", "{site}-{host}", "porch", None),
    ],
)
def test_filter_of_a_camera(topic: str, camera: str, name: str, expected: str | None) -> None:
    assert TopicPattern(topic, camera).filter_of(name) == expected


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("+/b", "a/+", True),
        ("+/b", "a/c", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a", "a/b/#", False),
        ("+/+/still", "facegate/#", True),
        ("#", "a/b", True),
    ],
)
def test_overlap_of_two_filters(one: str, other: str, overlap: bool) -> None:
    assert filters_overlap(one, other) is overlap
    assert filters_overlap(other, one) is overlap
