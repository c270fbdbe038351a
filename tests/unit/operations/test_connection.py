"""What Prefect's API says when it refuses."""

import httpx
import pytest

from prefect_wfexec.operations.connection import refusal_of

INVALID = {
    "exception_message": "Invalid request received.",
    "exception_detail": [{"msg": "Value error, the parameters are too large", "input": "what was sent"}],
    "request_body": "what was sent",
}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (INVALID, "the parameters are too large"),
        ({"detail": "the schema\n says no"}, "the schema says no"),
        ({"detail": {"not": "text"}}, "it answered 422"),
        (["nothing"], "it answered 422"),
    ],
)
def test_a_refusal_is_told_in_prefects_words(content: object, words: str) -> None:
    request = httpx.Request("POST", "http://prefect/api")
    response = httpx.Response(422, json=content, request=request)
    assert refusal_of(httpx.HTTPStatusError("refused", request=request, response=response)) == words


def test_an_answer_that_is_no_json() -> None:
    request = httpx.Request("POST", "http://prefect/api")
    response = httpx.Response(413, text="<html>", request=request)
    assert refusal_of(httpx.HTTPStatusError("refused", request=request, response=response)) == "it answered 413"
