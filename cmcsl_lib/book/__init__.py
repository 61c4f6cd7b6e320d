"""From notebooks to the HTML book: how they show things, how they are executed, and how the book is built.

`display` shows figures and tables, `explorer` plots to look at by hand, `live` Algorithm 1 to play with, `reproduction`
what another machine needs to agree; what of these runs in the browser lies in `scripts`. `pages`, `freshness`,
`preloaded`, `kernels`, `execution`, `batch`, `pdf` and `schedule` execute notebooks and build the book, only what
changed. `mathematics`, `figure_output`, `previews`, `search` and `site` run inside `jupyter-book build`.
"""
