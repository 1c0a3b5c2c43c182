"""What fits a place best for every role: scored as on the page about fit, and kept between answers."""

import json

import markupsafe
import pytest

from layers import fit
from webmap import advice

ROUGE = {"lat": 57.73, "lon": 26.92}
WEIGHTS = {weight.key: weight.points for weight in fit.PARTS}


def roles(client, **asked):
    answer = client.get("/api/answer", query_string={**ROUGE, "lang": "en", **asked}).get_json()
    return {role["key"]: role for role in answer["roles"]}


def test_every_score_is_the_sum_that_the_page_about_fit_tells(client):
    found = client.get("/api/fit?area=municipality:0698&lang=en").get_json()
    told = {one["case"]["key"]: one for one in found["cases"]}
    bests = [role["best"] for role in roles(client).values()]

    assert all(best["compared"]["key"] == "municipality:0698" for best in bests)
    seen = 0
    for best in bests:
        assert best["score"] == sum(best["points"].values()) > 0
        assert all(abs(points) <= abs(WEIGHTS[key]) for key, points in best["points"].items())
        if whole := told.get(best["case"]["key"]):
            seen += 1
            assert best["score"] == whole["score"]
            assert best["points"] == {part["key"]: part["points"] for part in whole["parts"]}
            reasons = [part["reason"] for part in whole["parts"]]
            assert all(reason in best["reason"] for reason in reasons[:2])
    assert seen > 2


def test_a_role_is_told_a_practice_of_its_own_in_a_case_with_its_part(client, estonia):
    guides = {role.guide for role in estonia.roles}
    for role in estonia.roles:
        best = roles(client)[role.key]["best"]
        case = client.get(f"/api/fit?case={best['case']['key']}").get_json()
        assert case["case"] == best["case"]["key"]
        assert best["case"]["outcome"] != fit.ENDED
        assert best["practice"]["key"] not in guides - {role.guide}


def test_the_page_and_the_text_tell_what_fits_best(client):
    page = client.get("/en/here", query_string=ROUGE).text
    text = client.get("/api/answer", query_string={**ROUGE, "lang": "en", "format": "text"}).text

    for role in roles(client).values():
        for said in (
            role["best"]["practice"]["title"],
            role["best"]["case"]["title"],
            role["best"]["reason"],
        ):
            assert said.replace("'", "&#39;").replace('"', "&#34;") in page
            assert said in text


@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_the_text_tells_all_that_the_page_tells_of_every_body(client, language):
    asked = {"lat": 58.9, "lon": 27.3, "worry": "theft", "lang": language}
    told = client.get("/api/answer", query_string=asked).get_json()
    text = client.get("/api/answer", query_string={**asked, "format": "text"}).text
    # Its tags are taken off, it is shown to nobody.
    page = markupsafe.Markup(client.get(f"/{language}/here", query_string=asked).text).striptags()  # noqa: S704

    guides = [guide["title"] for guide in told["worry"]["guides"]]
    assert [told["worry"]["label"], *guides] == [
        said for said in (told["worry"]["label"], *guides) if said in text and said in page
    ]
    for role in told["roles"]:
        above = role["if_none"]["above"] if role["if_none"] else []
        assert [one["name"] for one in above if one["name"] not in text] == []
        for one in role["matches"]:
            part = text[text.index(f"* {one['name']} ") :].partition("\n*")[0]
            where = (one["place"]["name"], one["place"]["precision"]) if one["place"] else ()
            said = (one["form"], *one["capabilities"], one["readiness"], *where, one["reason"])
            assert [words for words in (*said, one["source"]["title"]) if words not in part] == []
            # How old it is stands behind the title of its source, in the words of the page.
            assert part.partition(f"{one['source']['title']}. ")[2].partition("\n")[0] in page


def test_the_same_place_is_compared_once_for_all_days_alike(client):
    roles(client, as_of="2026-11-20")
    before = advice._territory.cache_info().misses

    for day in ("2026-11-21", "2026-11-22", "2026-11-20"):
        roles(client, as_of=day)

    assert advice._territory.cache_info().misses == before
    roles(client, as_of="2009-05-05")
    assert advice._territory.cache_info().misses == before + 1


@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_a_reason_is_whole_sentences_in_every_language(client, language):
    for role in roles(client, lang=language).values():
        reason = role["best"]["reason"]
        assert reason.endswith(".")
        assert not {"{", "}"} & set(reason)
        assert json.dumps(reason)
