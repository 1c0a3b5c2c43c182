"""From which edition a fact is known, and of which time a resource speaks, on both stores."""

from datetime import date

from layers import provenance
from tests import make

DAY = date(2026, 11, 22)


def test_a_fact_is_known_from_the_edition_that_holds_on_the_day(session):
    old, new = make.an_edition(session, name="old"), make.an_edition(session, name="new")
    make.a_body(session, key="selts", valid_to="2020", edition=old)
    make.a_body(session, key="selts", valid_from="2020", edition=new)
    make.a_body(session, key="gone", edition=old, retired_in=new)
    make.an_area(session, kind="county", code="01", edition=new)

    now, then = (provenance.of_bodies(session, as_of=day) for day in (DAY, date(2019, 1, 1)))

    assert {key: one.name for key, one in now.items()} == {"selts": "new"}
    assert {key: one.name for key, one in then.items()} == {"selts": "old"}
    assert provenance.of_bodies(session, keys=["none"], as_of=DAY) == {}
    areas = provenance.of_areas(session, ["county:01", "county:02"] * 400, as_of=DAY)
    assert {key: one.name for key, one in areas.items()} == {"county:01": "new"}


def test_a_resource_speaks_from_its_first_to_its_last_date(session):
    one, other = make.an_edition(session, name="villages"), make.an_edition(session, name="watch")
    for number, (edition, as_of) in enumerate(
        [(one, "2019-05"), (one, "2012"), (one, ""), (other, ""), (one, "2021-01-31")]
    ):
        make.a_body(session, key=f"body-{number}", edition=edition, as_of=as_of)
    make.a_body(session, key="hidden", edition=one, as_of="1990", hidden_in=other)

    assert provenance.spans(session) == {"villages": ("2012", "2021-01-31")}


def test_what_a_dataset_says_has_one_digest_whatever_the_order_of_its_rows(session):
    one = make.an_edition(session, name="villages", checksum="f" * 64)
    other = make.an_edition(session, name="villages", dataset="more")
    assert provenance.contents(session) == {}

    said = []
    for digests in (("1" * 64, "2" * 64), ("2" * 64, "1" * 64), ("1" * 64, "3" * 64)):
        with make.undone(session):
            for digest in digests:
                make.a_body(session, edition=one, digest=digest)
            make.a_body(session, edition=one, digest="9" * 64, retired_in=other)
            said.append(provenance.contents(session))

    assert said[0] == said[1] != said[2]
    assert {*said[0]} == {("villages", "")}
    assert "f" * 64 not in said[0].values()
