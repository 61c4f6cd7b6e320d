import doctest
import re

from cmcsl_lib.files.paths import REPOSITORY


def test_the_example_in_your_own_code_is_true():
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    text = "".join(block for block in blocks if ">>>" in block)
    result = doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0))
    assert result.attempted and not result.failed
