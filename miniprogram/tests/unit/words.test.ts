import { describe, expect, it } from 'vitest'
import { fee, price, quantity, yuan } from '../../src/words/money'
import { chargeMood, ebillMood, paymentMood, refundMood } from '../../src/words/payment'
import { mood, whatNext } from '../../src/words/registration'
import { clock, dayInWords, dayOf, left, moment } from '../../src/words/time'

const NOW = Date.parse('2026-11-30T16:30:00Z') // half past midnight of 1 December at the hospital

describe('money', () => {
  it.each([
    [0, '¥0.00'], [5, '¥0.05'], [131335, '¥1,313.35'], [123456789, '¥1,234,567.89'], [-2500, '-¥25.00'],
  ])('%i fen is %s', (fen, text) => expect(yuan(fen)).toBe(text))

  it('a fee of nothing is said in words', () => expect(fee(0)).toBe('免费'))

  it.each([[980, '¥9.80'], [12.5, '¥0.125'], [131335.25, '¥1,313.3525'], [100, '¥1.00'], [0, '¥0.00']])(
    'the price of one, %d fen, is %s', (fen, text) => expect(price(fen)).toBe(text))

  it('a quantity has its unit, if there is one', () => {
    expect([quantity({ quantity: 0.5, unit: '片' }), quantity({ quantity: 2, unit: '' })]).toEqual(['0.5 片', '2'])
  })

  it('is good where it arrived, bad where it can\'t, else waits', () => {
    expect(['SETTLED', 'REJECTED', 'CANCELLING', 'NEW'].map(chargeMood)).toEqual(['good', 'bad', 'wait', 'wait'])
    expect(['SUCCEEDED', 'GIVEN_UP', 'STUCK'].map(refundMood)).toEqual(['good', 'bad', 'wait'])
    expect(['ISSUED', 'ORDERED', 'WRITTEN_OFF'].map(ebillMood)).toEqual(['good', 'wait', 'quiet'])
    const paid = (...states: string[]) => paymentMood({ state: 'PAID', refunds: states.map(state => ({ state })) })
    expect([paid(), paid('SUCCEEDED'), paid('SUCCEEDED', 'PROCESSING'), paid('GIVEN_UP')]).toEqual(['good', 'good', 'wait', 'bad'])
    expect([paymentMood({ state: 'OPEN', refunds: [] }), paymentMood({ state: 'CLOSED', refunds: [] })]).toEqual(['wait', 'quiet'])
  })
})

describe('time', () => {
  it('is the hospital\'s, whatever zone the phone is in', () => {
    expect(dayOf(NOW)).toBe('2026-12-01')
    expect(clock('2026-11-30T01:00:00Z')).toBe('09:00')
  })

  it.each([
    ['2026-12-01', '今天'], ['2026-12-02', '明天'], ['2026-11-30', '昨天'], ['2026-12-05', '12月5日'], ['2027-01-02', '2027年1月2日'],
  ])('%s is %s', (day, words) => expect(dayInWords(day, NOW)).toBe(words))

  it('a moment has its weekday when it is not near', () => {
    expect(moment('2026-12-01T06:30:00Z', NOW)).toBe('今天 14:30')
    expect(moment('2026-12-07T01:00:00Z', NOW)).toBe('12月7日 周一 09:00')
  })

  it('what is left never runs below nothing', () => {
    expect(left(NOW + 899_001, NOW)).toBe('15:00')
    expect(left(NOW - 1, NOW)).toBe('0:00')
  })
})

describe('a registration', () => {
  const one = {
    state: 'CONFIRMING', state_text: '', reason_text: '医院未能确认。', visit_date: '2026-12-01', period: 'MORNING',
    starts_at: '2026-12-01T01:00:00Z', expires_at: null, clinic_room: '3诊室', location: '门诊楼3层',
    queue_number: '', queue_place: '',
    needs_payment: true,
  }

  it('that is paid is not called confirmed before the hospital says so', () => {
    expect(whatNext(one, NOW)).toContain('医院确认中')
    expect(mood(one)).toBe('wait')
  })

  it('that was made for who waited says until when', () => {
    const offer = { ...one, state: 'HELD', expires_at: '2026-12-01T01:30:00Z', is_offer: true }
    expect(whatNext(offer, NOW)).toBe('你候补的号到了，请在 09:30 前支付，过时让给下一位。')
  })

  it('that was missed says so, and it is no good state', () => {
    expect(whatNext({ ...one, state: 'CONFIRMED', attendance: 'ABSENT' }, NOW)).toContain('没有来就诊')
    expect(['ABSENT', 'ATTENDED', ''].map(attendance => mood({ state: 'CONFIRMED', attendance }))).toEqual(['bad', 'good', 'good'])
  })

  it('that failed says why', () => expect(whatNext({ ...one, state: 'REJECTED' }, NOW)).toBe('医院未能确认。'))
})
