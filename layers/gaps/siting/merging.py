"""Makes a question of covering smaller without changing its answer: same rows, needless rows and columns."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from layers.gaps.siting.costs import Flags, Floats, Ints, Pairs, totals

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
    """For each row with columns the number of its group, and the first row of each group."""
    rows = pairs_rows(pairs)
    matrix = _matrix(pairs)[rows]
    matrix.sort_indices()
    keys = [
        matrix.indices[low:high].tobytes()
        for low, high in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)
    ]
    numbers: dict[bytes, int] = {}
    group = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    _, first = np.unique(group, return_index=True)
    return group, rows[first]


def _without_dominated(matrix: sparse.csc_array) -> tuple[sparse.csc_array, Ints]:
    full = np.flatnonzero(np.diff(sparse.csc_array(matrix).indptr) > 0)
    matrix = sparse.csc_array(matrix)[:, full]
    keep = ~_within_another(sparse.csc_array(matrix))
    return matrix[:, keep], full[keep]


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
    """Pairs of columns of which the first lies within the second, and all sizes; none where that is much work."""
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
