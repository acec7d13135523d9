"""No secret is ever committed: `python -m tools.secret_scan` (part of `make lint`).

Every file is looked at with the detectors of detect-secrets that know a shape (private keys, cloud and vendor tokens,
passwords in URLs). Words like `password = "…"` are looked at in the product only: in tests they are made up.
A line that only looks like a secret says so with `pragma: allowlist secret`.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from tools.sources import ROOT, tracked_files

_SHAPES: Final = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
_WORDS: Final = ("KeywordDetector",)
_FILTERS: Final = ("detect_secrets.filters.allowlist.is_line_allowlisted",)
_PLACEHOLDERS: Final = {
    "password",
    "PASSWORD",
    "{password}",
    "secret",
    "SECRET",
    "***",
    "hunter2",
    "guest",
    "p",
    "pass",
    "REDACTED",
}
"""What stands for a password in documentation and in tests of masking; `guest` is what every RabbitMQ begins with."""


def find_secrets(paths: Iterable[str], *, root: Path, detectors: Iterable[str]) -> Iterator[str]:
    """Yield `path:line kind` for everything in these files that looks like a secret."""
    configuration = {
        "plugins_used": [{"name": name} for name in detectors],
        "filters_used": [{"path": path} for path in _FILTERS],
    }
    with transient_settings(configuration):
        found = SecretsCollection(root=str(root))
        found.scan_files(*paths, num_processors=1)
        for path, secret in found:
            if secret.secret_value not in _PLACEHOLDERS:
                yield f"{path}:{secret.line_number} {secret.type}"


def main() -> int:
    """Print what looks like a secret; return 1 when there is any."""
    paths = tracked_files()
    product = [path for path in paths if path.startswith("src/")]
    found = [
        *find_secrets(paths, root=ROOT, detectors=_SHAPES),
        *find_secrets(product, root=ROOT, detectors=_WORDS),
    ]
    for line in found:
        print(f"secret: {line}")
    print(f"secrets: {len(paths)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
