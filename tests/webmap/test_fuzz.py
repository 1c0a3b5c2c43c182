"""A short run of scripts/fuzz.py, always the same: no fault, no answer that its description forbids."""

import pytest

import fuzz
from tests.webmap import fuzzing, payloads


@pytest.fixture(scope="module")
def app():
    with fuzz.application() as app:
        yield app


def test_every_address_bears_hostile_paths_queries_headers_forms_and_files(app):
    fuzzer = fuzzing.Fuzzer(app, seed=8)

    told = fuzzer.run(range(2 * len(fuzzer.rules)))

    assert told.wrong == []
    assert {rule for rule, _ in told.met} == {rule.rule for rule in app.url_map.iter_rules()}
    assert told.asked > 1.9 * len(fuzzer.rules)
    assert {200, 303, 400, 403, 404, 405} <= told.statuses.keys()


def test_the_api_answers_as_its_description_says_to_what_it_allows_and_forbids(app):
    number, wrong = fuzz.api(app, requests=60, seed=8, examples=2, phases=("fuzzing", "stateful"))

    assert wrong == []
    assert number >= 60


def test_a_fault_or_markup_would_be_found():
    """What the fuzzer looks at: without it, silence would prove nothing."""
    for payload in ('<img src=x xqzmark onerror="x">', "<xqzmark>", '<a href="java\tscript:x">x</a>'):
        assert fuzzing.markup(f"<p>{payload}</p>"), payload
    assert fuzzing.markup(f"<p>{payloads.MARKUP[0].replace('<', '&lt;')}</p>") == []


def test_a_request_is_the_same_whenever_it_is_asked(app):
    one, other = fuzzing.Fuzzer(app, seed=3), fuzzing.Fuzzer(app, seed=4)

    assert one.request(7) == fuzzing.Fuzzer(app, seed=3).request(7)
    assert one.request(7) != other.request(7)


def test_an_answer_that_refuses_a_method_names_those_that_are_offered(app):
    client = app.test_client()

    for path, offered in (
        ("/api/answer", {"GET", "HEAD", "OPTIONS"}),
        ("/en/layers/", {"GET", "HEAD", "OPTIONS"}),
    ):
        said = client.delete(path)
        assert (said.status_code, said.allow.as_set(preserve_casing=True)) == (405, offered)
