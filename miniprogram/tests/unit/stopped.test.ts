import { describe, expect, it } from 'vitest'
import { beforeMoving, consequence, differenceInWords, movingInWords, seenMoving } from '../../src/visit/rules'
import { mood, whatNext } from '../../src/words/registration'

const NOW = Date.parse('2026-11-24T02:00:00Z')

describe('a stopped clinic', () => {
  const stopped = {
    state: 'CONFIRMED', state_text: '已停诊', reason_text: '', visit_date: '2026-11-25', period: 'MORNING',
    starts_at: '2026-11-25T00:00:00Z', expires_at: null, clinic_room: '', location: '', queue_number: '', queue_place: '',
    needs_payment: true, stopped: { choose_until: '2026-11-24T13:00:00Z' },
  }

  it('is bad news, with until when to choose and what happens else', () => {
    expect(mood(stopped)).toBe('bad')
    expect(whatNext(stopped, NOW)).toBe('医生停诊了。请在 今天 21:00 前改约或退号，到时没有选择会自动退号退费。')
    expect(mood({ ...stopped, stopped: null })).toBe('good')
    expect(whatNext({ ...stopped, stopped: null }, NOW)).toContain('明天到院后请先取号')
  })

  it('gives the whole fee back, which is said before it is given up', () => {
    const one = { state: 'CONFIRMED', can_cancel: true, fee_fen: 2500, needs_payment: true, stopped: stopped.stopped }
    expect(consequence(one)).toBe('已付的挂号费 ¥25.00 将全额原路退回。')
    expect(consequence({ ...one, needs_payment: false })).toBe('本次无需退费。')
  })
})

describe('going to another place', () => {
  it('says in words what it costs besides, before anything is paid', () => {
    expect([0, 1500, -1500].map(differenceInWords)).toEqual(['不用再付钱', '补差价 ¥15.00', '退差价 ¥15.00'])
    expect(beforeMoving(0)).toContain('不用再付钱')
    expect(beforeMoving(1500)).toBe('新的号贵 ¥15.00，需先支付这部分；没有付成，原来的号不变。')
    expect(beforeMoving(-1500)).toBe('新的号便宜 ¥15.00，改约成功后这部分原路退回。')
  })

  it('is done when nothing is under way, to be paid while it can be, else being done', () => {
    expect(seenMoving({ moving: null })).toBe('settled')
    expect(seenMoving({ moving: { can_pay: true } })).toBe('open')
    expect(seenMoving({ moving: { can_pay: false } })).toBe('pending')
    expect(movingInWords({ difference_fen: 1500, can_pay: true })).toContain('支付差价 ¥15.00')
    expect(movingInWords({ difference_fen: 1500, can_pay: false })).toContain('差价会自动退回')
  })
})
