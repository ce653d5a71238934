"""What goes wrong with a call to AWS, as scurry's own errors. The one place that knows botocore's exceptions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from scurry.model.errors import PlanOutdated, RejectedByTarget, ScurryError, TargetUnavailable, TargetUnsuitable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.exceptions import ClientError

NOT_FOUND, IN_USE = "ResourceNotFoundException", "ResourceInUseException"
UNSUPPORTED = "UnsupportedOperationException"
CONCURRENT, BAD_CONFIGURATION = "ConcurrentModificationException", "InvalidApplicationConfigurationException"
_EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException"}
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
_LATER = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "TooManyRequestsException"),
        *("RequestLimitExceeded", "SlowDown", "ServiceUnavailable", "ServiceUnavailableException", "InternalFailure"),
        *("InternalError", "InternalServerError", "500", "503"),
    }
)
_LIMITS = frozenset({"LimitExceededException", "TooManyTagsException"})
_UNREADABLE_CODE = "Please check the role provided or validity of S3 location"
_DOWNTIME = "currently experiencing downtime"
_LOGIN = "To get new ones, for example:\n  aws sso login\nThen run the same command again."


class Answered(RejectedByTarget):
    """AWS understood and said no. `word` is its own word for why."""

    def __init__(self, message: str, *, target: str, word: str, hint: str | None = None) -> None:
        super().__init__(message, target=target, hint=hint, cause=f"{word}: {message}")
        self.word = word


@contextmanager
def calling(target: str, what: str) -> Iterator[None]:
    """Turn what a call of boto3 raises into scurry's errors. `what` names the call: `kinesisanalyticsv2 Start…`.

    Raises `TargetUnavailable` where trying again may help, `PlanOutdated` where somebody else changed the application
    meanwhile, `TargetUnsuitable` for credentials, permissions and quotas, else `Answered`.
    """
    from botocore import exceptions as aws

    try:
        yield
    except aws.ClientError as error:
        raise _of_answer(error, target, what) from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError) as error:
        raise TargetUnsuitable(
            f"target {target!r}: AWS credentials are missing: {error}",
            target=target,
            hint="boto3 looks for them in the environment, ~/.aws and the machine's role. To see whose it finds, run:\n"
            "  aws sts get-caller-identity",
        ) from error
    except (aws.ProfileNotFound, aws.NoRegionError, aws.UnknownServiceError, aws.ParamValidationError) as error:
        raise TargetUnsuitable(f"target {target!r}: {error}", target=target) from error
    except (aws.SSOError, aws.TokenRetrievalError, aws.CredentialRetrievalError) as error:
        raise TargetUnavailable(
            f"target {target!r}: AWS credentials cannot be renewed: {error}", target=target, hint=_LOGIN
        ) from error
    except aws.BotoCoreError as error:
        raise TargetUnavailable(f"target {target!r} does not answer: {error}", target=target) from error


def _of_answer(error: ClientError, target: str, what: str) -> ScurryError:
    answer = error.response.get("Error", {})
    word, message = str(answer.get("Code", "")), str(answer.get("Message") or error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    if word in _EXPIRED:
        return TargetUnavailable(
            f"target {target!r}: the AWS credentials are not valid (any more): {message}", target=target, hint=_LOGIN
        )
    if word in _LATER or status >= 500:
        return TargetUnavailable(f"{what}: {word}: {message}", target=target, retry_after_s=5.0)
    if word in _DENIED:
        return TargetUnsuitable(
            f"{what} is not allowed: {message}",
            target=target,
            hint="docs/how-to/managed.md lists what scurry's own role has to be allowed. Whose credentials are used:\n"
            "  aws sts get-caller-identity",
        )
    if word == CONCURRENT:
        return PlanOutdated(
            f"somebody else is changing the application on target {target!r}: {message}",
            hint="To see what is to be done now, run:\n  scurry plan FILE",
        )
    if word in _LIMITS:
        return TargetUnsuitable(f"{what}: a quota of the account is reached: {message}", target=target)
    return Answered(message, target=target, word=word, hint=_hint(message))


def _hint(message: str) -> str | None:
    if _UNREADABLE_CODE in message:
        return (
            "The service reads the code with the application's own role (`role` of the target), not with yours: that "
            "role needs s3:GetObject and s3:GetObjectVersion on it, and has to trust kinesisanalytics.amazonaws.com."
        )
    if _DOWNTIME in message:
        return (
            "The job restarts again and again, so it can write no snapshot. scurry stops it by force where an older "
            "snapshot is there to go on from:\n  scurry restart APPLICATION --from latest"
        )
    return None
