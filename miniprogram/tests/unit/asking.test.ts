import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ref } from 'vue'
import { Failure } from '../../src/api/errors'
import { useAsking } from '../../src/parts/use-asking'
import { wayOn } from '../../src/parts/way-on'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('asking again', () => {
  function made(isOn = true) {
    const isUnderWay = ref(isOn)
    const ask = vi.fn(async () => undefined)
    return { isUnderWay, ask, ...useAsking(() => isUnderWay.value, ask) }
  }

  it('goes on at growing gaps while something is under way', async () => {
    const { ask, begin } = made()
    begin()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(ask).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(4_000 + 8_000 + 15_000 + 30_000 + 30_000)
    expect(ask).toHaveBeenCalledTimes(6)
  })

  it('ends when it is known', async () => {
    const { ask, begin, isUnderWay } = made()
    begin()
    await vi.advanceTimersByTimeAsync(2_000)
    isUnderWay.value = false
    await vi.advanceTimersByTimeAsync(60_000)
    expect(ask).toHaveBeenCalledTimes(1)
  })

  it('rests while the page is out of sight, and begins anew', async () => {
    const { ask, begin, end } = made()
    begin()
    end()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(ask).not.toHaveBeenCalled()
    begin()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(ask).toHaveBeenCalledTimes(1)
  })

  it('begins when something begins', async () => {
    const { ask, begin, isUnderWay } = made(false)
    begin()
    await vi.advanceTimersByTimeAsync(60_000)
    isUnderWay.value = true
    await vi.advanceTimersByTimeAsync(2_000)
    expect(ask).toHaveBeenCalledTimes(1)
  })
})

describe('the way on', () => {
  it.each([
    ['proof_required', '/family/patient'], ['consent_required', '/family/consent'], ['code_of_another', '/family/add'],
    ['patient_not_found', '/family/patients'],
  ])('after %s', (code, page) => expect(wayOn(new Failure('refused', { code }), 'P')?.page).toBe(page))

  it('is the list when it is not known whom it was about, and none after other refusals', () => {
    expect(wayOn(new Failure('refused', { code: 'proof_required' }), undefined)?.page).toBe('/family/patients')
    expect(wayOn(new Failure('refused', { code: 'consent_required' }), undefined)?.page).toBe('/family/patients')
    expect(wayOn(new Failure('refused', { code: 'bill_paid' }), 'P')).toBeUndefined()
    expect(wayOn(undefined, 'P')).toBeUndefined()
  })
})
