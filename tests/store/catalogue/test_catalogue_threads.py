"""Readers beside writers of the catalogue."""

import threading

import numpy as np
from tests.store.catalogue.test_series_catalogue import NE, RE, TENANT, chosen, intern, labels_of, select

from swarmscope.store.catalogue import Catalogue


def test_readers_see_whole_series_while_others_write():
    catalogue, stop, failures = Catalogue(), threading.Event(), []
    n_threads, n_rounds, n_sets = 3, 40, 50

    def sets_of(number):
        return [
            {"__name__": f"m{s % 3}", "n": str(number * n_sets + s), "twin": str(number * n_sets + s)}
            for s in range(n_sets)
        ]

    def write(thread):
        for number in range(n_rounds):  # every thread writes the same sets, under its own keys and some shared
            keys = [(thread % 2) * 10**6 + number * n_sets + s for s in range(n_sets)]
            refs = intern(catalogue, sets_of(number), keys=keys).refs
            if not np.array_equal(catalogue.resolve(TENANT, np.array(keys, np.uint64)), refs):
                failures.append("a key was lost")
            catalogue.record_samples(refs, np.full(n_sets, number), number)

    def read():
        seen = 0
        while not stop.is_set():
            selection = select(catalogue, ("n", RE, "[0-9]+"), ("twin", NE, ""))
            found = labels_of(catalogue, selection)
            if any(labels["n"] != labels["twin"] or len(labels) != 3 for labels in found):
                failures.append("torn series")
            if len(found) < seen or len(set(selection.refs.tolist())) != len(found):
                failures.append("series vanished or doubled")
            seen = len(found)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(n_threads)]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert failures == []
    assert catalogue.n_series == n_rounds * n_sets
    assert sorted(chosen(catalogue)) == list(range(n_rounds * n_sets))


def test_drops_beside_readers():
    catalogue, stop, failures = Catalogue(), threading.Event(), []
    intern(catalogue, [{"__name__": f"m{n % 2}", "n": str(n)} for n in range(2000)])

    def read():
        while not stop.is_set():
            for labels in labels_of(catalogue, select(catalogue, ("n", RE, "1.*"))):
                if not labels["n"].startswith("1"):
                    failures.append(labels)

    reader = threading.Thread(target=read)
    reader.start()
    for begin in range(0, 2000, 100):
        catalogue.drop(np.arange(begin, begin + 50))
        intern(catalogue, [{"__name__": "m1", "n": f"1{begin}x"}], keys=[10**6 + begin])
    stop.set()
    reader.join()
    assert failures == []
    assert catalogue.n_series == 1020
