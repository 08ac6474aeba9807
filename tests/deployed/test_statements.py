"""docs/statements.md, which `statements.py` writes, is about the stack as it is."""

from __future__ import annotations

import re

from stack import Stint
from statements import NOT_NOTICED, WRITTEN, statements


def test_the_page_names_every_statement_and_no_other(deployed: Stint) -> None:
    page = WRITTEN.read_text()
    written = set(re.findall(r"^\| (.+?) \| `(.+?)` \| fails: ", page, re.MULTILINE))
    assert written == {
        (s.where, s.name) for s in statements(deployed)
    }, "the roles have changed: run `statements.py` again"
    assert NOT_NOTICED not in page
