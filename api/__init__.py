"""The HTTP API. Start reading at ``api.app``."""

import warnings

# Connexion imports Starlette's test client, which deprecates httpx whether anybody tests or not.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
