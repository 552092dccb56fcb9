import pytest

from rowcast.wording import name_list


@pytest.mark.parametrize(
    "names", [["a"], ["a", "b c"], ["a, b", "c"], ['"a"', 'b "x" c'], ["  a", "it's, \n"], ['"', ",", "a"]]
)
def test_a_list_has_the_names_of_which_it_was_made(names: list[str]) -> None:
    assert name_list.split(name_list.join(names)) == names


@pytest.mark.parametrize("text", ['"a', 'b,"a"c'])
def test_a_quote_too_many_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a quote too many or too few"):
        name_list.split(text)
