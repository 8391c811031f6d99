"""A page's session, and that output which differs from the page is told."""

import subprocess

from tests.docs.pages import differences, fences, pictures, session

PAGE = """Words.

```sh
NAME=world
echo "hello $NAME, accuracy 0.91" >&2
```
```text
hello world, accuracy 0.90
```
<!-- expect: accuracy > 0.9 -->

```python
import os
print("run 12ab34", 3)
print("z0: area, r = -0.5")
```
```text
run … 3
z0: area, r = 0.93
```
![A picture](one.png)
"""


def printed(page: str) -> str:
    done = subprocess.run(
        ["bash", "-c", session(page)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def test_session_keeps_variables_and_says_what_the_page_shows() -> None:
    assert [f.language for f in fences(PAGE)] == ["sh", "text", "expect", "python", "text"]
    assert differences(PAGE, printed(PAGE)) == []
    assert pictures(PAGE) == ["one.png"]


def test_other_words_order_and_values_are_told() -> None:
    output = printed(PAGE)
    assert differences(PAGE.replace("hello world", "hello moon"), output) == [
        "line 7: not printed: hello moon, accuracy 0.90"
    ]
    assert differences(PAGE.replace("> 0.9 ", "> 0.95 "), output) == [
        "line 10: not met: accuracy > 0.95"
    ]
    swapped = PAGE.replace("run … 3\nz0: area, r = 0.93", "z0: area, r = 0.93\nrun … 3")
    assert differences(swapped, output) == ["line 17: not printed: run … 3"]


def test_a_command_that_fails_ends_the_session() -> None:
    page = "```sh\nfalse\necho never\n```\n```text\nnever\n```\n"
    assert differences(page, printed(page)) == ["line 5: not printed: never"]
