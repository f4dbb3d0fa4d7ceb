"""The outer part of a request's way: everything that must also hold for what never reaches Flask.

From the outside in: entry, cors, errors, charges, routes, signature, accept, guard, root, gate, then Connexion.
"""
