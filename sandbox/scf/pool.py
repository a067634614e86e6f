"""The instances of one function: how many there are, who gets one, when they end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from sandbox.scf.errors import InvokeError
from sandbox.scf.instances import Instance
from sandbox.scf.manifest import Function

_STOP_SECONDS = 5.0
DEFAULT_INSTANCES = 4  # at most, where reservedConcurrency doesn't say otherwise

AnyInstance = TypeVar("AnyInstance", bound=Instance)


class Pool(Generic[AnyInstance]):
    """Starts an instance when all others are full, and ends those that are idle, dead or retired."""

    def __init__(self, function: Function, make: Callable[[int], AnyInstance]) -> None:
        self.function = function
        self.limit = function.reserved_concurrency or DEFAULT_INSTANCES
        self.invocations = 0
        self.errors = 0
        self.cold_starts: deque[AnyInstance] = deque(maxlen=100)  # the last ones
        self._make = make
        self._changed = threading.Condition()
        self._instances: list[AnyInstance] = []
        self._started = 0
        self._closed = False

    def acquire(self, wait: float) -> AnyInstance:
        """A place in a started instance; give it back with ``release``.

        ``wait`` is how long (real seconds) to wait for one when all are busy. Raises InvokeError: 432 when
        none came free, or why the new instance could not start.
        """
        deadline = time.monotonic() + wait
        with self._changed:
            while True:
                self._drop_dead()
                if self._closed:
                    raise InvokeError(405, "the platform is shutting down")
                instance = self._with_room()
                if instance is not None:
                    instance.in_flight += 1
                    starting = False
                    break
                if sum(not other.retired for other in self._instances) < self.limit:
                    self._started += 1
                    instance = self._make(self._started)
                    instance.in_flight = 1
                    self._instances.append(instance)
                    starting = True
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise InvokeError(432, "ResourceLimitReached: all instances are busy")
        if starting:
            try:
                self._start(instance)
            except BaseException:
                self.release(instance)
                raise
        else:
            instance.ready.wait()
        if instance.failure is not None:
            self.release(instance)
            raise InvokeError(instance.failure.status, instance.failure.message, stack=instance.failure.stack)
        return instance

    def release(self, instance: AnyInstance) -> None:
        """Give a place back."""
        with self._changed:
            instance.in_flight -= 1
            instance.last_used = time.monotonic()
            self._drop_dead()
            self._changed.notify_all()

    def count(self, error: bool) -> None:
        """Book one finished invocation."""
        with self._changed:
            self.invocations += 1
            self.errors += error

    def instances(self) -> list[AnyInstance]:
        """Those that live, starting ones included."""
        with self._changed:
            self._drop_dead()
            return list(self._instances)

    def reap(self, idle_seconds: float) -> None:
        """End what has had no work for so long."""
        with self._changed:
            for instance in self._instances:
                if not instance.in_flight and time.monotonic() - instance.last_used >= idle_seconds:
                    instance.retired = True
            self._drop_dead()

    def stop(self, close: bool = False) -> int:
        """End every instance, busy or not; returns how many. After ``close`` none is started any more."""
        with self._changed:
            self._closed = self._closed or close
            doomed = [one for one in self._instances if not one.retired]
            for instance in self._instances:
                instance.retired = True
                instance.end()
            self._drop_dead()
            # what was busy is cleared by the callers it fails; give them a moment
            self._changed.wait_for(lambda: not any(one in self._instances for one in doomed), _STOP_SECONDS)
        return len(doomed)

    def _start(self, instance: AnyInstance) -> None:
        try:
            instance.start()
            if instance.retired:
                raise InvokeError(405, "the instance was stopped while it started")
            self.cold_starts.append(instance)
        except InvokeError as failure:
            instance.failure = failure
        except OSError as error:
            instance.failure = InvokeError(405, f"the instance can't start: {error}")
        except BaseException as error:
            instance.failure = InvokeError(405, f"the instance can't start: {type(error).__name__}")
            raise
        finally:
            instance.retired = instance.retired or instance.failure is not None
            instance.ready.set()

    def _with_room(self) -> AnyInstance | None:
        fitting = [one for one in self._instances
                   if not one.retired and one.in_flight < self.function.max_concurrency]
        return min(fitting, key=lambda one: not one.ready.is_set(), default=None)

    def _drop_dead(self) -> None:
        for instance in list(self._instances):
            if not instance.ready.is_set():
                continue
            if not instance.alive:
                instance.retired = True
            if instance.retired and not instance.in_flight:
                self._instances.remove(instance)
                instance.clear()
