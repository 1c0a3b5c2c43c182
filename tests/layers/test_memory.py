"""What is kept is worked out once, however many ask at once, and forgotten in its turn."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, current_thread

import pytest

from layers import memory

PATIENCE_S = 10


class Worker:
    """Works something out as long as it is not let go, and tells how often it has begun."""

    def __init__(self):
        self.begun, self.may_end, self.asked = Event(), Event(), []
        self.double = memory.kept(2)(self._double)

    def _double(self, number):
        self.asked.append(number)
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)
        return 2 * number


def test_of_many_who_ask_at_once_one_works_it_out():
    worker = Worker()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(worker.double, 21)
        assert worker.begun.wait(PATIENCE_S)
        others = [threads.submit(worker.double, 21) for _ in range(7)]
        assert not any(one.done() for one in others)
        worker.may_end.set()
        told = [one.result(PATIENCE_S) for one in (first, *others)]

    assert told == [42] * 8
    assert worker.asked == [21]


def test_what_is_known_is_told_while_something_else_is_worked_out():
    worker = Worker()
    worker.may_end.set()
    assert worker.double(1) == 2
    worker.begun.clear()
    worker.may_end.clear()
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(worker.double, 2)
        assert worker.begun.wait(PATIENCE_S)

        assert worker.double(1) == 2
        assert not slow.done()
        worker.may_end.set()
        assert slow.result(PATIENCE_S) == 4


def test_a_failure_is_told_to_who_met_it_and_another_tries_again():
    begun, may_fail, tried = Event(), Event(), []

    @memory.kept(2)
    def fails_at_first(number):
        tried.append(current_thread().name)
        if len(tried) == 1:
            begun.set()
            assert may_fail.wait(PATIENCE_S)
            raise ValueError("The connection broke.")
        return number

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(fails_at_first, 7)
        assert begun.wait(PATIENCE_S)
        second = threads.submit(fails_at_first, 7)
        may_fail.set()
        with pytest.raises(ValueError, match="broke"):
            first.result(PATIENCE_S)
        assert second.result(PATIENCE_S) == 7

    assert fails_at_first(7) == 7
    assert len(set(tried)) == len(tried) == 2


def test_who_was_asked_least_lately_is_forgotten_first():
    worker = Worker()
    worker.may_end.set()

    told = [worker.double(number) for number in (1, 2, 1, 3, 1, 2)]

    assert told == [2, 4, 2, 6, 2, 4]
    assert worker.asked == [1, 2, 3, 2]
    assert len(worker.double) == 2


def test_names_of_arguments_are_part_of_what_is_asked():
    asked = []

    @memory.kept(4)
    def told(first, *, second="", third=""):
        """What it is for."""
        asked.append((first, second, third))
        return first + second + third

    assert [told("a", second="b", third="c"), told("a", third="c", second="b")] == ["abc", "abc"]
    assert [told("a", second="c"), told("a", third="c")] == ["ac", "ac"]
    assert asked == [("a", "b", "c"), ("a", "c", ""), ("a", "", "c")]
    assert (told.__name__, told.__doc__) == ("told", "What it is for.")
