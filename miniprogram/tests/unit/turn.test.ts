import { beforeEach, describe, expect, it } from 'vitest'
import { nextTick, ref } from 'vue'
import { useAct } from '../../src/parts/use-act'
import { post } from '../../src/api/request'
import { useTurn } from '../../src/booking/use-turn'
import { afterRefusal, aheadAt, others, turnOf } from '../../src/booking/rules'
import { phone } from './host'
import { no, ok, server } from './wire'

const SEVEN = Date.parse('2026-11-24T07:00:00+08:00')
const drawn = (ticket: string, seconds: number, ahead = 0) =>
  ok({ ticket, admitted_at: new Date(SEVEN + seconds * 1000).toISOString(), ahead })
const held = ok({ id: 'B' }, 201)

/** Somebody before the page of a session that goes on sale at seven; `opensAt` null: it is on sale. */
function waiting(from: number, opensAt: number | null = SEVEN) {
  const now = ref(SEVEN + from * 1000)
  const taking = useAct(async (ticket: string) => post('/api/booking/bookings', {
    body: { patient_id: 'P', schedule_id: 'S', slot_id: null, fee_fen: 1 }, intention: 'book', ...(ticket ? { ticket } : {}),
  }))
  const turn = useTurn({ scheduleId: () => 'S', opensAt: () => opensAt ?? undefined, now, taking, chance: () => 0.5 })
  /** It is so many seconds after seven. */
  async function at(seconds: number) {
    now.value = SEVEN + seconds * 1000
    await settled()
  }
  return { ...turn, at, taking }
}

/** Whatever was answered has been heard. */
async function settled() {
  for (let turns = 0; turns < 30; turns++)
    await nextTick()
}

beforeEach(() => phone.clear())

describe('before the release', () => {
  it('draws a ticket, waits for the turn, and shows the ticket then', async () => {
    const { asked } = server(drawn('T', 20, 200), held)
    const { take, at, isWaiting, ahead } = waiting(-60)
    const taken = take()
    await settled()
    expect([isWaiting.value, ahead.value, phone.isAwake]).toEqual([true, 200, true])
    await at(10)
    expect([asked.length, ahead.value]).toEqual([1, 100])
    await at(20)
    expect(await taken).toBe('B')
    expect(asked[1]?.headers['X-Ticket']).toBe('T')
    expect([isWaiting.value, phone.isAwake]).toEqual([false, false])
  })

  it('comes a little after the others where no ticket is needed', async () => {
    const { asked } = server(drawn('', 0), held)
    const { take, at } = waiting(-60)
    const taken = take()
    await at(0)
    expect(asked).toHaveLength(1)
    await at(1)
    expect(await taken).toBe('B')
    expect(asked[1]?.headers['X-Ticket']).toBeUndefined()
  })

  it('takes nothing while the page is not in sight, and goes on when it is', async () => {
    const { asked } = server(drawn('T', 20), held)
    const { take, at, hide, show } = waiting(-60)
    const taken = take()
    await settled()
    hide()
    await at(30)
    expect(asked).toHaveLength(1)
    show()
    expect(await taken).toBe('B')
  })

  it('takes nothing once it was given up', async () => {
    const { asked } = server(drawn('T', 20))
    const { take, at, giveUp } = waiting(-60)
    const taken = take()
    await settled()
    giveUp()
    await at(30)
    expect(await taken).toBeUndefined()
    expect(asked).toHaveLength(1)
  })

  it('is one waiting for two taps', async () => {
    const { asked } = server(drawn('T', 20), held)
    const { take, at } = waiting(-60)
    const both = Promise.all([take(), take()])
    await at(20)
    expect(await both).toEqual(['B', undefined])
    expect(asked).toHaveLength(2)
  })

  it('says what is wrong when no ticket can be drawn', async () => {
    server(no(404, 'schedule_not_found', '未找到该出诊安排。'))
    const { take, taking, isWaiting } = waiting(-60)
    expect(await take()).toBeUndefined()
    expect([taking.failed.value?.sentence, isWaiting.value]).toEqual(['未找到该出诊安排。', false])
  })
})

describe('in the rush', () => {
  it('draws a ticket when one is asked for, at once and not for the same request again', async () => {
    const { asked } = server(no(429, 'ticket_required', '先排队', { 'retry-after': '1' }), drawn('T', 20, 50), held)
    const { take, at, ahead } = waiting(10, null)
    const taken = take()
    await settled()
    expect([asked.map(one => one.address), ahead.value]).toEqual([['/api/booking/bookings', '/api/booking/tickets'], 50])
    await at(20)
    expect(await taken).toBe('B')
  })

  it('comes again when it is told to, and not all at the same moment', async () => {
    const { asked } = server(drawn('T', 0), no(429, 'not_your_turn', '还没轮到', { 'retry-after': '10' }), held)
    const { take, at } = waiting(0)
    const taken = take()
    await settled()
    expect(asked).toHaveLength(2)
    await at(10)
    expect(asked).toHaveLength(2)
    await at(11)
    expect(await taken).toBe('B')
  })

  it('tries a moment later when the hospital\'s clock is behind', async () => {
    server(drawn('', 0), no(409, 'day_not_open'), held)
    const { take, at } = waiting(1)
    const taken = take()
    await at(2)
    await at(4)
    expect(await taken).toBe('B')
  })

  it('ends when the place is gone', async () => {
    server(drawn('T', 0), no(409, 'slot_gone', '已约满'))
    const { take, taking } = waiting(1)
    expect(await take()).toBeUndefined()
    expect(taking.failed.value?.code).toBe('slot_gone')
  })

  it('gives up in the end', async () => {
    const { asked } = server(...Array.from({ length: 8 }, () => no(409, 'day_not_open')))
    const { take, at } = waiting(0, null)
    const taken = take()
    for (let second = 0; second < 40; second += 2)
      await at(second)
    expect(await taken).toBeUndefined()
    expect(asked).toHaveLength(8)
  })
})

it.each([
  ['ticket_required', 'draw'], ['ticket_of_another', 'draw'], ['not_your_turn', 'later'], ['day_not_open', 'later'], ['busy', 'later'],
  ['slot_gone', 'gone'], ['session_stopped', 'gone'], ['fee_changed', 'end'], ['too_many_unpaid', 'end'],
])('after %s: %s', (code, next) => expect(afterRefusal({ trouble: 'busy', code })).toBe(next))

it('after the platform\'s own word for too many at once it is tried again, after silence it is not', () => {
  expect(afterRefusal({ trouble: 'busy', code: '' })).toBe('later')
  expect(afterRefusal({ trouble: 'offline', code: '' })).toBe('end')
})

it('nobody gets ahead before the release, and then at an even pace', () => {
  const turn = turnOf({ ticket: 'T', admitted_at: new Date(SEVEN + 10_000).toISOString(), ahead: 100 }, SEVEN, SEVEN - 60_000)
  expect([-60, 0, 5, 9.99, 10, 20].map(seconds => aheadAt(turn, SEVEN + seconds * 1000))).toEqual([100, 100, 50, 1, 0, 0])
})

it('offers the same doctor first, then the same day, then other days; each once, and only what can be had', () => {
  const session = (id: string, doctor_id: string, visit_date: string, free = 1, state = 'OPEN') =>
    ({ id, doctor_id, doctor_name: '', doctor_title: '', visit_date, state, free, starts_at: `${visit_date}T00:00:00Z` })
  const found = others([
    session('gone', 'D', '2026-11-25'), session('full', 'D', '2026-11-26', 0), session('stopped', 'E', '2026-11-25', 3, 'STOPPED'),
    session('own', 'D', '2026-11-27'), session('own', 'D', '2026-11-27'), session('own2', 'D', '2026-11-28'),
    session('own3', 'D', '2026-11-29'), session('soon', 'E', '2026-11-24'), session('same-day', 'F', '2026-11-25'),
  ], { id: 'gone', doctorId: 'D', day: '2026-11-25' })
  expect(found.map(one => one.id)).toEqual(['own', 'own2', 'same-day', 'soon'])
})
