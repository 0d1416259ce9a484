"""Copies the programs of the recipes into the pages that show them: `make book`.

A program stands in a page behind a comment with its path: <!-- recipes/cookbook/chat.rs -->
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHOWN = re.compile(r"<!-- (recipes/\S+\.rs) -->\n\n```rust,ignore\n.*?```\n", re.S)


def show(found):
    program = (ROOT / found[1]).read_text()
    return f"<!-- {found[1]} -->\n\n```rust,ignore\n{program}```\n"


for page in ROOT.glob("docs/src/**/*.md"):
    page.write_text(SHOWN.sub(show, page.read_text()))
