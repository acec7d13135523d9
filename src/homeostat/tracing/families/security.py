"""Who may do what: checks of identity and right, detections, and actions of governance."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, SpanAttributes, family_span
from homeostat.tracing.failures import FAILURES

_DEVELOPMENT: Final = Source.DEVELOPMENT

SECURITY: Final = Family(
    "security",
    "A check of identity or right, a detection, or an action of governance.",
    "the action, and for governance the policy: `authenticate`, `approve retention`",
    (
        Declared(
            "security.action", Shape.TEXT, "`authenticate`, `authorize`, `encrypt`, `scan`, `rotate` and the like."
        ),
        Declared("security.mechanism", Shape.TEXT, "How: `oidc`, `api_key`, `mtls`, `rbac`."),
        Declared("security.resource", Shape.TEXT, "What is protected, by kind."),
        Declared("security.outcome", Shape.TEXT, "`allowed`, `denied`, `challenged` or `failed`."),
        Declared("security.reason", Shape.TEXT, "Why, in few different words."),
        Declared("security.risk_score", Shape.NUMBER, "How suspicious it is, from 0 to 1."),
        Declared("security_rule.name", Shape.TEXT, "Rule that applied.", _DEVELOPMENT),
        Declared("security_rule.category", Shape.TEXT, "Its category.", _DEVELOPMENT),
        Declared("security_rule.version", Shape.TEXT, "Its version.", _DEVELOPMENT),
        Declared("security_rule.ruleset.name", Shape.TEXT, "Set of rules that it belongs to.", _DEVELOPMENT),
        Declared("user.roles", Shape.TEXTS, "Roles of who asks.", _DEVELOPMENT),
        Declared("client.address", Shape.TEXT, "Address of who asks.", Source.STABLE),
        Declared("governance.action", Shape.TEXT, "`approve`, `reject`, `override`, `audit`, `erase`, `export`."),
        Declared("governance.policy", Shape.TEXT, "Policy that it is about."),
        Declared("governance.policy.version", Shape.TEXT, "Its version."),
        Declared("governance.subject", Shape.TEXT, "What is decided on, by kind."),
        Declared("governance.decision", Shape.TEXT, "`approved`, `rejected`, `escalated` or `expired`."),
        Declared("governance.approver", Shape.TEXT, "Who decided: a role, or a pseudonym."),
        Declared("governance.ticket", Shape.TEXT, "Where it was asked for."),
        Declared("governance.data_class", Shape.TEXT, "Class of the data: `public`, `internal`, `personal`."),
    ),
)


def security_span(
    action: str,
    *,
    mechanism: str | None = None,
    resource: str | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a check or a detection; `record_security_outcome` says then how it went.

    Args:
        action: `authenticate`, `authorize`, `scan` and the like.
        mechanism: how: `oidc`, `api_key` and the like.
        resource: what is protected, by kind.
        attributes: more of the family.
    """
    return family_span(
        SECURITY,
        action,
        kind=SpanKind.INTERNAL,
        values={"security.action": action, "security.mechanism": mechanism, "security.resource": resource},
        more=attributes,
    )


def governance_span(
    action: str,
    policy: str,
    *,
    subject: str | None = None,
    approver: str | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of an action of governance.

    Args:
        action: `approve`, `override`, `erase` and the like.
        policy: that it is about.
        subject: what is decided on, by kind.
        approver: who decides: a role, or a pseudonym.
        attributes: more of the family.
    """
    return family_span(
        SECURITY,
        f"{action} {policy}",
        kind=SpanKind.INTERNAL,
        values={
            "governance.action": action,
            "governance.policy": policy,
            "governance.subject": subject,
            "governance.approver": approver,
        },
        more=attributes,
    )


def record_security_outcome(
    span: Span, outcome: str, *, reason: str | None = None, risk_score: float | None = None
) -> None:
    """Say on a span how a check went. A denial is no error: the check did what it is for.

    Args:
        span: of the check.
        outcome: `allowed`, `denied`, `challenged` or `failed`.
        reason: in few different words.
        risk_score: from 0 to 1.
    """
    said = SpanAttributes(SECURITY).put("security.outcome", outcome)
    said.put("security.reason", reason).put("security.risk_score", risk_score)
    with FAILURES.contained("recording the outcome of a check"):
        span.set_attributes(said.built())
