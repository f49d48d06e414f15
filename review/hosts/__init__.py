"""How a browser reaches a review that is served on some machine: names and base paths of proxies
that are trusted, those that an environment has, and the tunnel where there is none.

Owns which hosts are trusted, and what Codespaces, Colab and JupyterHub say about themselves. Knows
neither the page nor Spotlight, and prints nothing.
"""
