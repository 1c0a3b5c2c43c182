"""Two texts beside each other: what differs is marked, nothing is lost."""

from hypothesis import given
from hypothesis import strategies as st

from webmap.differences import pieces

LONG = "The village agreed on a watch of twelve households, and the police gave them a number to call. "


def test_one_changed_word_of_a_long_text_is_marked_alone():
    before, after = pieces(LONG, LONG.replace("twelve", "fifteen") + "It lasts.")

    assert [text for text, differs in before if differs] == ["twelve"]
    assert [text for text, differs in after if differs] == ["fifteen", "It lasts."]


def test_what_is_short_or_has_little_in_common_is_marked_whole():
    assert pieces("Lääne jaoskond", "Uus jaoskond") == ([("Lääne jaoskond", True)], [("Uus jaoskond", True)])
    assert pieces("", "New") == ([], [("New", True)])
    other = "Nothing of this was said before by anybody at all, as far as one can know. " * 2
    assert pieces(LONG, other) == ([(LONG, True)], [(other, True)])


_SAID = st.lists(st.sampled_from(["watch ", "police ", "\n", "of ", "the "]), max_size=60).map("".join)


@given(before=_SAID, after=_SAID)
def test_the_pieces_are_the_texts_and_what_is_not_marked_is_in_both(before, after):
    old, new = pieces(before, after)

    assert ("".join(text for text, _ in old), "".join(text for text, _ in new)) == (before, after)
    assert [text for text, differs in old if not differs] == [text for text, differs in new if not differs]
