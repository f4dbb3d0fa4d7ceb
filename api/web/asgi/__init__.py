"""The outer part of a request's way: everything that must also hold for what never reaches Flask.

From the outside in: entry, errors, routes, charges, guard, signature, gate, then Connexion.
"""
