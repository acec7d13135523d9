from tools.documents import CodeBlock, Document, code_blocks, knob_names, metric_names, routes, shell_commands
from tools.sources import parse


def test_fenced_examples_are_found_with_language_and_line() -> None:
    """A block without a language is found too."""
    document = Document("a.md", "# A\n\n```bash\nmake test\n```\n\n```\nplain\n```\n")
    assert [*code_blocks(document)] == [CodeBlock("a.md:3", "bash", "make test\n"), CodeBlock("a.md:7", "", "plain\n")]


def test_shell_commands_are_split_into_words() -> None:
    """Comments, variables in front and continued lines are no commands."""
    text = "# first\nA=b make demo DURATION=20  # c\npip install x && homeostat up \\\n  --http a:1\n\ncat f | grep x\n"
    assert [*shell_commands(CodeBlock("a.md:1", "bash", text))] == [
        ["make", "demo", "DURATION=20"],
        ["pip", "install", "x"],
        ["homeostat", "up", "--http", "a:1"],
        ["cat", "f"],
        ["grep", "x"],
    ]


def test_a_quoted_word_may_have_lines_and_a_variable_a_command() -> None:
    """A body over several lines is one argument, and what fills a variable is checked like any command."""
    text = 'curl -d \'{"a": [\n  1; 2]}\' http://a\nKEY=$(homeostat key create --tenant acme)\nexport A="b $KEY"\n'
    assert [*shell_commands(CodeBlock("a.md:1", "bash", text))] == [
        ["curl", "-d", '{"a": [\n  1; 2]}', "http://a"],
        ["homeostat", "key", "create", "--tenant", "acme"],
        ["export", "A=b $KEY"],
    ]


def test_metrics_are_found_where_the_registry_is_seen() -> None:
    """A literal elsewhere is no metric, and neither is one of a test."""
    seeing = "from homeostat_server.runtime.telemetry import Telemetry\nx = 'homeostat_a_total'\ny = 'homeostat'\n"
    sources = [
        parse("src/a.py", seeing),
        parse("src/b.py", "x = 'homeostat_b_total'\n"),
        parse("tests/c.py", seeing.replace("_a_", "_c_")),
    ]
    assert metric_names(sources) == ("homeostat_a_total",)


def test_routes_are_found_with_their_prefix() -> None:
    """Decorators, mounts and lists of routes all declare paths; a dictionary's get does not."""
    text = (
        'router = APIRouter(prefix="/api/v1")\n@router.get("/services")\ndef f(): ...\n'
        'Route("/traces", g)\nheaders.get("accept")\n'
    )
    sources = [
        parse("src/homeostat_server/api/services.py", text),
        parse("src/other.py", '@app.get("/no")\ndef f(): ...'),
    ]
    assert routes(sources) == ("/api/v1/services", "/api/v1/traces")


def test_knobs_are_found_by_their_name() -> None:
    """A knob of a test is not the product's."""
    text = 'Knob(name="spool_gather_ms", unit="ms")'
    assert knob_names([parse("src/a.py", text), parse("tests/b.py", text)]) == ("spool_gather_ms",)
