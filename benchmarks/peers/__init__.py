"""The same core operations in the frameworks that one could pick instead, each on the same rows.

They run in an environment of their own (requirements.lock beside this file) and know nothing of Madang's code.
"""
