"""Where a figure comes from, and whether a second run gives the same one.

    history.py    every artifact behind a target, from the manifests of a store
    times.py      the time that artifacts took, by stage
    measured.py   the measurements in an artifact, which no second run repeats
    crate.py      a history as RO-Crate metadata (Process Run Crate), and read back from it
    entities.py   the entities of which that metadata consists
    report.py     a history as a table for people
    replay.py     a history run again into another store, artifact by artifact
    compare.py    the two stores side by side, file by file
    amounts.py    by how much two files differ

Nothing is signed, and weights and tables are not copied (`rlv export` moves those).
"""
