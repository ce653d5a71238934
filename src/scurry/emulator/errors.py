"""The service's errors, worded as it words them where that is known (docs/reference/msf-fidelity.md says which)."""

from __future__ import annotations


class ServiceError(Exception):
    """An error that a client is told: the name of its class on the wire, and a message."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid_argument(message: str) -> ServiceError:
    """Return `InvalidArgumentException`."""
    return ServiceError("InvalidArgumentException", message)


def invalid_request(message: str) -> ServiceError:
    """Return `InvalidRequestException`."""
    return ServiceError("InvalidRequestException", message)


def not_found(message: str) -> ServiceError:
    """Return `ResourceNotFoundException`."""
    return ServiceError("ResourceNotFoundException", message)


def in_use(message: str) -> ServiceError:
    """Return `ResourceInUseException`: the application's status does not allow it."""
    return ServiceError("ResourceInUseException", message)


def concurrent(message: str) -> ServiceError:
    """Return `ConcurrentModificationException`."""
    return ServiceError("ConcurrentModificationException", message)


def bad_configuration(message: str) -> ServiceError:
    """Return `InvalidApplicationConfigurationException`."""
    return ServiceError("InvalidApplicationConfigurationException", message)


def unsupported(message: str) -> ServiceError:
    """Return `UnsupportedOperationException`."""
    return ServiceError("UnsupportedOperationException", message)


def limit_exceeded(message: str) -> ServiceError:
    """Return `LimitExceededException`."""
    return ServiceError("LimitExceededException", message)
