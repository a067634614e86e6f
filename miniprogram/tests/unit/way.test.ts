import { beforeEach, describe, expect, it, vi } from 'vitest'
import { stepsOf } from '../../src/home/rules'
import { useHome } from '../../src/home/use-home'
import { estimate, fact, freshness, noEstimate, waitingText } from '../../src/way/rules'
import { useQueue } from '../../src/way/use-queue'
import { phone } from './host'
import { no, ok, server } from './wire'

const WAITING = { standing: 'WAITING', ahead: 4, low: 10, high: 15, as_of: '2026-11-23T02:32:00Z', stale: false }
const VISIT = { id: 'A', state: 'CONFIRMED', visit_date: '2099-01-01', starts_at: '2099-01-01T01:00:00Z', expires_at: null }
const turn = (more: object = {}) => ({ ...WAITING, ...more })

beforeEach(() => phone.clear())

describe('a queue in words', () => {
  it.each([
    [{}, '前面还有 4 人'], [{ standing: 'NEXT', ahead: 0 }, '下一个就是您'], [{ standing: 'CALLED' }, '正在叫您的号'],
    [{ standing: 'PASSED' }, '过号了'], [{ standing: 'SEEN' }, '已叫过您的号'], [{ standing: 'NOT_THERE' }, '队列里没有您的号'],
    [{ standing: null }, '暂时看不到叫号'], [{ standing: 'NEW' }, '暂时看不到叫号'],
  ])('%o is "%s"', (more, text) => expect(fact(turn(more))).toBe(text))

  it('tells a time only when it was told one, and from nought as an end', () => {
    expect(estimate(turn())).toBe('预计还要 10～15 分钟')
    expect(estimate(turn({ low: 0, high: 5 }))).toBe('预计 5 分钟以内')
    expect(estimate(turn({ low: null, high: null }))).toBe('')
    expect(noEstimate(turn({ low: null, high: null }))).toMatch(/估不准/)
    expect(noEstimate(turn())).toBe('')
  })

  it('says how old the numbers are', () => {
    expect(freshness(turn())).toMatch(/^10:32 更新/)
    expect(freshness(turn({ stale: true }))).toMatch(/没有回应/)
    expect(freshness(turn({ as_of: null }))).toBe('')
  })

  it.each([[null, null, ''], [0, 0, '现在没有人排队'], [3, null, '现在 3 人在等'], [3, 12, '现在 3 人在等，约 12 分钟']])(
    'of %s who wait (%s minutes): %s', (waiting, minutes, text) => expect(waitingText({ waiting, wait_minutes: minutes })).toBe(text))
})

describe('the queue of a page', () => {
  it('is asked anew by itself while it is in sight, each phone a little otherwise, and no more when it is not', async () => {
    vi.useFakeTimers()
    try {
      const { asked } = server(ok(turn()), ok(turn({ ahead: 3 })), no(404, 'booking_not_found'), ok(turn({ ahead: 1 })))
      const queue = useQueue(() => 'B1', () => 0)
      queue.begin()
      await vi.advanceTimersByTimeAsync(7_900)
      expect(asked.length).toBe(1)
      await vi.advanceTimersByTimeAsync(200)
      expect([asked.length, queue.turn.value?.ahead, queue.isOld.value]).toEqual([2, 3, false])
      await vi.advanceTimersByTimeAsync(8_000)
      expect([asked.length, queue.turn.value?.ahead, queue.isOld.value]).toEqual([3, 3, true]) // what is known stays
      queue.end()
      await vi.advanceTimersByTimeAsync(60_000)
      expect(asked.length).toBe(3)
    }
    finally {
      vi.useRealTimers()
    }
  })
})

describe('the home page', () => {
  const steps = [{ booking_id: 'A' }, { booking_id: 'B' }]

  it.each([['A', { own: steps[0], other: steps[1] }], ['B', { own: steps[1], other: steps[0] }], [undefined, { other: steps[0] }]])(
    'shows the step of %s and of another visit', (shown, found) => expect(stepsOf(steps, shown)).toEqual(found))

  it('asks for what comes next only for who has a visit, and without it is as it was', async () => {
    const { asked } = server(ok({ bookings: [], doctors: [], unread: 0 }))
    await useHome().load()
    expect(asked.length).toBe(1)
    const again = server(ok({ bookings: [VISIT], doctors: [], unread: 0 }), no(404, 'not_found'))
    const home = useHome()
    await home.load()
    expect([again.asked.length, home.next.value?.id, home.step.value, home.failed.value]).toEqual([2, 'A', {}, undefined])
  })
})
