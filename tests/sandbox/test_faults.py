"""Faults on demand: who is held up waits for a fact, not for a time."""

from __future__ import annotations

import threading

from sandbox.faults import Fault, Faults


def test_a_call_that_is_held_up_goes_on_once_the_faults_are_cleared_and_not_before() -> None:
    faults = Faults()
    faults.add(Fault("his", "check_trade", "hold"))
    fault = faults.take("his", "check_trade")
    assert fault is not None
    call = threading.Thread(target=faults.hold, args=(fault,), daemon=True)
    call.start()
    faults.add(Fault("his", "lock_registration", "hold"))
    call.join(0.1)
    assert call.is_alive()
    faults.clear()
    call.join(10)
    assert not call.is_alive()
    assert faults.take("his", "check_trade") is None
