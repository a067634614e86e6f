import { beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/api/errors'
import { get, post } from '../../src/api/request'
import { begin } from '../../src/session/session'
import { host, phone } from './host'
import { no, ok, server } from './wire'

const ORDER = { patient_id: 'P', schedule_id: 'S', slot_id: null, fee_fen: 1500 }
const book = () => post('/api/booking/bookings', { body: ORDER, intention: 'book:P:S' })

beforeEach(async () => {
  phone.clear()
  host.storage.set('session', { token: 'T1', secret: 'S1' })
  await begin()
})

describe('a read', () => {
  it('fills in path and query, and leaves out what is empty', async () => {
    const { asked } = server(ok({ bookings: [], next: null }))
    await get('/api/booking/bookings', { query: { before: '' } })
    expect(asked[0]).toMatchObject({ method: 'GET', address: '/api/booking/bookings', body: undefined })
  })

  it('is tried again when nothing came back, and gives up with a sentence', async () => {
    const { asked, waited } = server(new Failure('offline'), new Failure('slow'), new Failure('offline'))
    const told = { trouble: 'offline', sentence: expect.stringContaining('网络') as string }
    await expect(get('/api/booking/departments')).rejects.toMatchObject(told)
    expect(asked).toHaveLength(3)
    expect(waited).toHaveLength(2)
  })

  it('waits as long as the server asks for, and a little, when too many are there', async () => {
    const { waited } = server(no(429, 'busy', '稍后', { 'retry-after': '2' }), no(432, ''), ok({ groups: [] }))
    await get('/api/booking/departments')
    expect(waited[0]).toBeGreaterThanOrEqual(2300)
    expect(waited[0]).toBeLessThan(3100)
    expect(waited[1]).toBeLessThan(1400)
  })

  it('does not wait for long: a long wait is the person\'s to decide on', async () => {
    const { asked } = server(no(429, 'too_many', '一小时后再试。', { 'retry-after': '3600' }))
    await expect(get('/api/booking/departments')).rejects.toMatchObject({ trouble: 'busy', wait: 3600, sentence: '一小时后再试。' })
    expect(asked).toHaveLength(1)
  })

  it('is broken when the answer is none', async () => {
    server(ok('<html>', 502), ok('<html>', 502), ok('<html>', 502))
    await expect(get('/api/booking/departments')).rejects.toMatchObject({ trouble: 'broken' })
  })
})

describe('a refusal', () => {
  it('says the hospital\'s sentence, code and fields', async () => {
    const error = { code: 'invalid', message: '号码有误。', request_id: 'R2', fields: ['id_number'] }
    server({ status: 422, headers: {}, content: { error } })
    await expect(book()).rejects.toMatchObject({
      trouble: 'refused', code: 'invalid', sentence: '号码有误。', fields: ['id_number'], requestId: 'R2',
    })
  })
})

describe('an intention', () => {
  it('has one key until it is answered, also after the answer was lost', async () => {
    const lost = server(new Failure('slow'), new Failure('slow'), new Failure('slow'))
    await expect(book()).rejects.toMatchObject({ trouble: 'slow' })
    const again = server(ok({ id: 'B' }, 201), ok({ id: 'C' }, 201))
    await book()
    const keys = [...lost.asked, ...again.asked].map(one => one.headers['Idempotency-Key'])
    expect(new Set(keys).size).toBe(1)
    await book()
    expect(again.asked[1]?.headers['Idempotency-Key']).not.toBe(keys[0])
  })

  it('ends with a refusal: the next tap is another one', async () => {
    const { asked } = server(no(409, 'slot_gone'), ok({ id: 'B' }, 201))
    await expect(book()).rejects.toMatchObject({ code: 'slot_gone' })
    await book()
    expect(asked[0]?.headers['Idempotency-Key']).not.toBe(asked[1]?.headers['Idempotency-Key'])
  })
})

it('a write without a key is not sent twice when it may have arrived', async () => {
  const { asked } = server(new Failure('slow'))
  const cancelled = post('/api/booking/bookings/{booking_id}/cancellation', { path: { booking_id: 'B' } })
  await expect(cancelled).rejects.toMatchObject({ trouble: 'slow' })
  expect(asked).toHaveLength(1)
})

it('waits for the sign-in that is under way, instead of being refused without one', async () => {
  phone.clear()
  const { asked } = server(ok({ token: 'T2', expires_at: '' }, 201), ok({ bookings: [], next: null }))
  await Promise.all([begin(), get('/api/booking/bookings')])
  expect(asked.map(one => one.address)).toEqual(['/api/account/sessions', '/api/booking/bookings'])
  expect(asked[1]?.headers.Authorization).toBe('Bearer T2')
})

describe('a session that has ended', () => {
  it('is renewed once for all requests under way, and each is sent again', async () => {
    const stale = ({ headers }: { headers: Record<string, string> }) =>
      headers.Authorization === 'Bearer T1' ? no(401, 'no_session') : ok({ bookings: [], next: null })
    const { asked } = server(stale, stale, ok({ token: 'T2', expires_at: '' }, 201), stale, stale)
    await Promise.all([get('/api/booking/bookings'), get('/api/booking/bookings')])
    expect(asked.filter(one => one.address === '/api/account/sessions')).toHaveLength(1)
    expect(asked.slice(3).map(one => one.headers.Authorization)).toEqual(['Bearer T2', 'Bearer T2'])
  })

  it('shows the server a hash of the secret alone', async () => {
    const { asked } = server(no(401, 'no_session'), ok({ token: 'T2', expires_at: '' }, 201), ok({ bookings: [], next: null }))
    await get('/api/booking/bookings')
    const told = asked[1]?.json as { secret_hash: string }
    expect(told.secret_hash).toMatch(/^[0-9a-f]{64}$/)
    expect(asked[2]?.headers['X-Client-Secret']).not.toBe(told.secret_hash)
  })

  it('that can\'t be renewed ends in one sentence, not in a circle', async () => {
    server(no(401, 'no_session'), ok({ token: 'T2', expires_at: '' }, 201), no(401, 'no_session'))
    await expect(get('/api/booking/bookings')).rejects.toMatchObject({ trouble: 'ended' })
  })

  it('ends when the code is refused too: signing in does not wait for itself', async () => {
    const { asked } = server(no(401, 'no_session'), no(401, 'wechat_code_invalid'))
    await expect(get('/api/booking/bookings')).rejects.toMatchObject({ trouble: 'ended' })
    expect(asked[1]?.headers.Authorization).toBeUndefined()
  })

  it('says so when WeChat gives no code', async () => {
    phone.codes = [new Error('denied')]
    server(no(401, 'no_session'))
    await expect(get('/api/booking/bookings')).rejects.toMatchObject({ sentence: expect.stringContaining('微信') })
  })
})
