"""Makes a question of covering smaller without changing its answer: same rows, needless rows and columns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from layers.gaps.siting.costs import Flags, Floats, Ints, Pairs, totals

_SEED = 20_261_122
_MOST_PRODUCTS = 30_000_000
_MOST_DENSE = 300_000_000
_MOST_ROUNDS = 6


@dataclass(frozen=True, eq=False)
class Merged:
    """Pairs between groups of rows and the columns that are worth a look.

    `rows` are the first of each group and `weights` the sums; `columns` the positions that remain, in order.
    """

    pairs: Pairs
    rows: Ints
    weights: Floats
    columns: Ints


def merged(pairs: Pairs, weights: Floats) -> Merged:
    """Rows with the same columns become one, their weights are added; columns within another are left out.

    A column all of whose rows another one serves too is never needed instead of it; of two equal ones the
    first stays.
    """
    group, first = _same(pairs)
    count = len(first)
    sums = totals(group, weights[pairs_rows(pairs)], count)
    matrix = _matrix(pairs)[first]
    matrix, columns = _without_dominated(matrix.tocsc())
    return Merged(_pairs(matrix), first, sums, columns)


def needed(pairs: Pairs) -> tuple[Pairs, Ints, Ints]:
    """For covers where each row needs one column: what is left, the rows and the columns it is made of.

    A row that is served whenever another one is, and a column within another, are left out in turn.
    """
    rows, columns = pairs_rows(pairs), np.arange(pairs.shape[1])
    matrix = _matrix(pairs)[rows].tocsc()
    for _ in range(_MOST_ROUNDS):
        before = matrix.shape
        matrix, kept = _without_dominated(matrix)
        columns = columns[kept]
        keep = ~_holding_another(matrix)
        matrix, rows = matrix[keep], rows[keep]
        if matrix.shape == before:
            break
    return _pairs(matrix), rows, columns


def pairs_rows(pairs: Pairs) -> Ints:
    """The rows that have a column."""
    return np.flatnonzero(pairs.depth > 0)


def _matrix(pairs: Pairs) -> sparse.csr_array:
    ones = np.ones(len(pairs.rows), dtype=np.int32)
    return sparse.csr_array((ones, (pairs.rows, pairs.columns)), shape=pairs.shape)


def _pairs(matrix: sparse.csc_array) -> Pairs:
    """Pairs of no cost."""
    found = sparse.csc_array(matrix)
    found.sort_indices()
    columns = np.repeat(np.arange(found.shape[1]), np.diff(found.indptr))
    return Pairs(found.indices.astype(np.int64), columns, np.zeros(found.nnz), found.shape)


def _same(pairs: Pairs) -> tuple[Ints, Ints]:
    """For each row with columns the number of its group, and the first row of each group, in their order."""
    rows = pairs_rows(pairs)
    marks = _marks(pairs.rows, pairs.columns, pairs.shape)[rows]
    _, first, group = np.unique(marks, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[group.ravel()], rows[first[order]]


def _marks(of: Ints, members: Ints, shape: tuple[int, int]) -> npt.NDArray[np.uint64]:
    """Two sums of random numbers for each row: equal for the same columns, else but once in 2^128 times."""
    keys = np.random.default_rng(_SEED).integers(0, 2**64, (2, shape[1]), dtype=np.uint64)
    found = np.zeros((shape[0], 2), dtype=np.uint64)
    for number in range(2):
        np.add.at(found[:, number], of, keys[number][members])
    return found


def _without_dominated(matrix: sparse.csc_array) -> tuple[sparse.csc_array, Ints]:
    whole = sparse.csc_array(matrix)
    sizes = np.diff(whole.indptr)
    of = np.repeat(np.arange(whole.shape[1]), sizes)
    marks = _marks(of, whole.indices, (whole.shape[1], whole.shape[0]))
    _, first = np.unique(marks, axis=0, return_index=True)
    full = np.sort(first[sizes[first] > 0])
    fewer = sparse.csc_array(whole[:, full])
    keep = ~_within_another(fewer)
    return fewer[:, keep], full[keep]


def _within_another(matrix: sparse.csc_array) -> Flags:
    """Which columns lie within another one; of equal ones all but the first."""
    inside, outside, sizes = _contained(matrix)
    gone = np.zeros(matrix.shape[1], dtype=bool)
    worse = (sizes[outside] > sizes[inside]) | (outside < inside)
    gone[inside[worse]] = True
    return gone


def _holding_another(matrix: sparse.csc_array) -> Flags:
    """Which rows have every column of another one; of equal ones all but the first."""
    inside, outside, sizes = _contained(sparse.csc_array(matrix.T))
    gone = np.zeros(matrix.shape[0], dtype=bool)
    worse = (sizes[outside] > sizes[inside]) | (inside < outside)
    gone[outside[worse]] = True
    return gone


def _contained(matrix: sparse.csc_array) -> tuple[Ints, Ints, Ints]:
    """Pairs of columns, the first within the second, and all sizes; no pairs where that is much work."""
    sizes = np.diff(matrix.indptr).astype(np.int64)
    depth = np.bincount(matrix.indices, minlength=matrix.shape[0]).astype(np.int64)
    height, width = matrix.shape
    if height * width * width <= _MOST_DENSE:
        # Whole numbers this small are exact as floats, which multiply much faster.
        table = matrix.toarray().astype(np.float32)
        left, right = np.nonzero(table.T @ table == sizes[:, None])
    elif int((depth * depth).sum()) <= _MOST_PRODUCTS:
        both = sparse.coo_array(matrix.T @ matrix)
        hit = both.data == sizes[both.coords[0]]
        left, right = both.coords[0][hit], both.coords[1][hit]
    else:
        left = right = np.empty(0, dtype=np.int64)
    other = left != right
    return left[other].astype(np.int64), right[other].astype(np.int64), sizes
