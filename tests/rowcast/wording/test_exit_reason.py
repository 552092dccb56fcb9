from rowcast.wording.exit_reason import exit_reason


def test_exit_reasons_are_words() -> None:
    assert exit_reason(3) == "exit code 3"
    assert exit_reason(-9) == "killed by SIGKILL"
    assert exit_reason(-63) == "killed by signal 63"
