"""How like a real reasoner the mini task is: a study's numbers beside published ranges of the same.

`measures.py` computes a number from arrays, `evidence.py` reads a finished study's tables from the store,
`properties.py` lists the properties with their ranges and sources, `page.py` writes the table.
"""
