import pytest

from rowcast.cli.option_names import as_written, in_words_of_commands


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("if it is from Windows, send encoding=windows-1252", "if it is from Windows, send --encoding windows-1252"),
        ("UTF-16 without a mark (send encoding=utf-16)", "UTF-16 without a mark (send --encoding utf-16)"),
        ("without a header line, send `header=false`.", "without a header line, send --no-header."),
        ("sent with `on_error=fail`.", "sent with --on-error fail."),
        ("use the option `encoding`.", "use the option --encoding."),
        ("prediction_column: the header has 'x'", "--prediction-column: the header has 'x'"),
        ("choose another prediction_column.", "choose another --prediction-column."),
        ("'model=3' is not a number", "'model=3' is not a number"),
        ("send it without `follow=true`", "send it without `follow=true`"),
    ],
)
def test_hints_name_the_options_of_commands(said: str, shown: str) -> None:
    assert in_words_of_commands(said) == shown


def test_a_value_is_quoted_for_a_shell() -> None:
    assert as_written("delimiter", ";") == "--delimiter ';'"
    assert as_written("header", "false") == "--no-header"
