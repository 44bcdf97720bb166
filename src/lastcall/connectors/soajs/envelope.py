"""The envelope every SOAJS answer comes in, and what its codes mean for a notice."""

from collections.abc import Mapping

from lastcall.domain.delivery import Outcome
from lastcall.errand import object_in, ruled, unclear
from lastcall.outward import Answer, Told

LATER = frozenset({133, 134, 135, 136, 150, 162, 163, 164})
"""The gateway cannot reach the service, or the service its store."""

WORDS: Mapping[int, str] = {
    130: "no such service there",
    132: "key refused",
    151: "no such call there",
    152: "key refused",
    153: "key refused",
    **dict.fromkeys((154, 155, 156, 157, 159, 160), "not permitted there"),
}


def fault(answer: Answer | None) -> int | None:
    """The first code of a refusal, 0 for a success, None for what is no envelope.

    The HTTP status says little: most refusals come with 200, some with 500.
    """
    said = object_in(answer)
    if answer is not None and answer.status == 200 and said.get("result") is True:
        return 0
    errors = said.get("errors")
    codes = errors.get("codes") if isinstance(errors, dict) else None
    return codes[0] if isinstance(codes, list) and codes and type(codes[0]) is int else None


def read(answer: Answer, words: Mapping[int, str]) -> Told:
    """`words` are those of one service, beside the gateway's."""
    code = fault(answer)
    if code is None:
        return unclear(answer, answer.status)
    if code == 0:
        return ruled(answer, Outcome.DONE)
    if code in LATER:
        return ruled(answer, Outcome.RETRY, "not answering there")
    return ruled(answer, Outcome.REFUSED, {**WORDS, **words}.get(code, "refused there"))
